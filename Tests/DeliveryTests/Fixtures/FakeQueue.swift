import Delivery
import Records

/// A lane of rows that know their own offset, in blocks of several streams. Rows become durable when the test says so.
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

    static func layout(_ stream: String) -> RowLayout {
        RowLayout(
            stream: stream,
            table: TableName(schema: "public", name: stream),
            columns: [.init(name: "offset", type: .int8), .init(name: "padding", type: .bytea)]
        )
    }

    /// Appends a block of `count` rows.
    func append(_ count: Int, stream: String = "apirequests", padding: Int = 3) {
        let layout = Self.layout(stream)
        layouts[layout.fingerprint] = layout
        let first = durable.advanced(by: 1)
        var bytes: [UInt8] = []
        for index in 0..<count {
            bytes += Self.tuple(first.advanced(by: index), padding: padding)
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

    /// A row of two fields: its offset, and as many bytes as `padding`; NULL if that is negative.
    static func tuple(_ offset: Offset, padding: Int) -> [UInt8] {
        var bytes: [UInt8] = [0, 2, 0, 0, 0, 8]
        withUnsafeBytes(of: offset.rawValue.bigEndian) { bytes += $0 }
        withUnsafeBytes(of: Int32(max(-1, padding)).bigEndian) { bytes += $0 }
        return bytes + Array(repeating: 0x61, count: max(0, padding))
    }

    /// The offsets that the rows in `bytes` hold; the test's own reader, which shares no code with the one under test.
    static func offsets(in bytes: ArraySlice<UInt8>) -> [Offset] {
        var offsets: [Offset] = []
        var cursor = bytes.startIndex
        while cursor < bytes.endIndex {
            precondition(bytes[cursor + 1] == 2 && bytes[cursor + 5] == 8, "a row was cut in the middle")
            offsets.append(Offset(bytes[(cursor + 6)..<(cursor + 14)].reduce(0) { $0 << 8 | UInt64($1) }))
            let length = bytes[(cursor + 14)..<(cursor + 18)].reduce(0) { $0 << 8 | UInt32($1) }
            cursor += 18 + (length == .max ? 0 : Int(length))
        }
        precondition(cursor == bytes.endIndex, "a row was cut at the end")
        return offsets
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
