import Delivery
import DurableQueue
import Records
import SegmentedLog

/// A lane of the queue, as the delivery reads it. Used on the lane's flusher thread.
final class LaneSource: ChunkSource {
    private let reader: LaneReader
    private let streams: StreamRegistry
    /// Rows after this are not this lane's to deliver; see ``Renewal``.
    var mark: Offset?

    init(_ reader: LaneReader, streams: StreamRegistry, mark: Offset?) {
        self.reader = reader
        self.streams = streams
        self.mark = mark
    }

    var durable: Offset { mark.map { min($0, reader.durable) } ?? reader.durable }

    var firstAvailable: Offset { reader.firstAvailable }

    func read(after offset: Offset, limit: ReadLimit) throws(SourceFault) -> ReadResult {
        do throws(LogFault) {
            let result = try reader.read(after: offset, rows: limit.rows, bytes: limit.bytes)
            return ReadResult(chunks: result.chunks, lost: result.lost)
        } catch {
            throw SourceFault("\(error)")
        }
    }

    func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout {
        do throws(LogFault) {
            return try reader.layout(of: fingerprint)
        } catch {
            throw SourceFault("\(error)")
        }
    }

    /// As the catalogue had it when the table was last read: a layout of a long backlog may be older than that, its table is not.
    func grouping(of layout: RowLayout) -> [Int] {
        streams.grouping(of: layout)
    }
}
