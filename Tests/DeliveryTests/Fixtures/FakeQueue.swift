import Delivery
import Records
import SimulationKit

/// A lane of rows whose event number is their own offset, in blocks of several streams. Rows become durable when the test says so.
final class FakeQueue: ChunkSource {
    static let key = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(0))

    private(set) var durable = Offset.none
    var firstAvailable = Offset(1)
    private(set) var chunks: [RowChunk] = []
    /// Ranges that can't be read.
    var corrupt: [ClosedRange<Offset>] = []
    /// Asked at each call; true makes it throw.
    var fails: () -> Bool = { false }
    private(set) var reads = 0
    /// The columns by which rows are grouped, of every layout.
    var grouping: [Int] = []
    private var layouts: [Fingerprint: RowLayout] = [:]

    /// Appends a block of `count` rows.
    func append(_ count: Int, stream: String = "apirequests", padding: Int = 3) {
        let layout = EventRows.layout(stream)
        layouts[layout.fingerprint] = layout
        let first = durable.advanced(by: 1)
        var bytes: [UInt8] = []
        for index in 0..<count {
            bytes += EventRows.tuple(EventID(first.advanced(by: index).rawValue), padding: padding)
        }
        chunks.append(RowChunk(fingerprint: layout.fingerprint, first: first, count: count, bytes: bytes))
        durable = durable.advanced(by: count)
    }

    /// Deletes what lies before `offset`, which begins a block.
    func trim(before offset: Offset) {
        firstAvailable = offset
        chunks.removeAll { $0.last < offset }
    }

    /// Appends a block as it is, whatever its bytes are.
    func append(raw chunk: RowChunk) {
        chunks.append(chunk)
        durable = chunk.last
    }

    func read(after offset: Offset, limit: ReadLimit) throws(SourceFault) -> ReadResult {
        if fails() { throw SourceFault("the disk did not answer") }
        reads += 1
        var result = ReadResult(chunks: [])
        var rows = 0
        var bytes = 0
        if offset.advanced(by: 1) < firstAvailable {
            result.lost.append(offset.advanced(by: 1)...Offset(firstAvailable.rawValue - 1))
        }
        for chunk in chunks where chunk.last > offset {
            guard rows < limit.rows, bytes < limit.bytes else { break }
            if let range = corrupt.first(where: { $0 == chunk.first...chunk.last }) {
                result.lost.append(max(range.lowerBound, offset.advanced(by: 1))...range.upperBound)
                continue
            }
            let part = cut(chunk, after: offset)
            result.chunks.append(part)
            rows += part.count
            bytes += part.bytes.count
        }
        return result
    }

    private func cut(_ chunk: RowChunk, after offset: Offset) -> RowChunk {
        guard chunk.first <= offset else { return chunk }
        let skipped = chunk.first.distance(to: offset) + 1
        let size = chunk.bytes.count / chunk.count
        return RowChunk(
            fingerprint: chunk.fingerprint,
            first: chunk.first.advanced(by: skipped),
            count: chunk.count - skipped,
            bytes: Array(chunk.bytes[(skipped * size)...])
        )
    }

    func grouping(of layout: RowLayout) -> [Int] { grouping }

    func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout {
        guard let layout = layouts[fingerprint] else { throw SourceFault("unknown layout \(fingerprint)") }
        return layout
    }
}
