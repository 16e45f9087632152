import Records

/// The rows after the ledger's position that have been read from the queue. Kept until the ledger has passed them, so that sending again
/// needs no reading.
///
/// Bounded by what a flush takes, twice (the one under way and the one being prepared), rounded up to whole blocks.
struct ChunkBuffer {
    /// Contiguous but for `lost`, ascending.
    private(set) var chunks: [RowChunk] = []
    /// Ranges that the queue can't read, ascending.
    private(set) var lost: [ClosedRange<Offset>] = []
    /// Everything after this up to `end` is in `chunks` or in `lost`.
    private(set) var start: Offset
    private(set) var end: Offset

    init(after position: Offset) {
        start = position
        end = position
    }

    /// Forgets what `position` covers; all of it, if the ledger went to where the buffer has nothing.
    mutating func move(to position: Offset) {
        guard start <= position, position <= end else {
            self = ChunkBuffer(after: position)
            return
        }
        start = position
        chunks.removeAll { $0.last <= position }
        lost.removeAll { $0.upperBound <= position }
    }

    /// Reads on until `limit` of rows after `position` are here, or the durable end is reached.
    mutating func fill(
        from source: any ChunkSource,
        after position: Offset,
        to limit: ReadLimit
    ) throws(SourceFault) {
        var rows = 0
        var bytes = 0
        for chunk in chunks where chunk.last > position {
            rows += chunk.count
            bytes += chunk.bytes.count
        }
        while rows < limit.rows, bytes < limit.bytes, end < source.durable {
            let result = try source.read(
                after: end,
                limit: ReadLimit(rows: limit.rows - rows, bytes: limit.bytes - bytes)
            )
            guard try append(result) else { return }
            for chunk in result.chunks {
                rows += chunk.count
                bytes += chunk.bytes.count
            }
        }
    }

    /// Returns whether anything came. A result that does not go on where the last one ended is a fault: it is never sent.
    private mutating func append(_ result: ReadResult) throws(SourceFault) -> Bool {
        var ranges = result.lost + result.chunks.filter { $0.count > 0 }.map { $0.first...$0.last }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        var reached = end
        for range in ranges {
            guard range.lowerBound.rawValue == reached.rawValue + 1 else {
                throw SourceFault(
                    "the queue was read after \(reached) and gave \(range.lowerBound) to \(range.upperBound); "
                        + "expected \(reached.advanced(by: 1)) to come first"
                )
            }
            reached = range.upperBound
        }
        chunks += result.chunks.filter { $0.count > 0 }
        lost += result.lost
        defer { end = reached }
        return reached > end
    }
}
