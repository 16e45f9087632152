package import Records
package import SegmentedLog

/// Reads a lane up to its durable watermark, and waits for more.
///
/// The members have the shapes of Delivery's `ChunkSource`. Owner: one thread, but for `wake`, which any thread may call.
package final class LaneReader: @unchecked Sendable {
    // Sendable because `cursor`, `seenWakes` and `reported` are touched by the owning thread only; `wake` touches the lane's board, under its lock.
    package let key: LaneKey
    private let lane: Lane
    private let cursor: LaneCursor
    private let layouts: LayoutCatalogue
    private let lostRows: @Sendable (ClosedRange<Offset>) -> Void
    private var seenWakes: Int
    /// Loss up to here has been reported; a range that is read again is not lost again.
    private var reported = Offset.none

    package struct Result: Sendable {
        /// Contiguous but for the ranges in `lost`.
        package var chunks: [RowChunk]
        package var lost: [ClosedRange<Offset>]
    }

    init(lane: Lane, context: LogContext, lostRows: @escaping @Sendable (ClosedRange<Offset>) -> Void) {
        key = lane.key
        self.lane = lane
        cursor = LaneCursor(catalogue: lane.catalogue, context: context)
        layouts = context.layouts
        self.lostRows = lostRows
        seenWakes = lane.board.withLock { $0.wakes }
    }

    /// The last offset on disk.
    package var durable: Offset { lane.catalogue.end }

    /// The first offset that can still be read; one past `durable` if there is none.
    package var firstAvailable: Offset { lane.catalogue.first }

    /// Reads the rows after `offset`, whole blocks, until `rows` or `bytes` is reached or the durable end; empty at the end.
    ///
    /// The first chunk begins at `offset` + 1 exactly: a block that straddles it is cut. A range that can't be read (damaged, or
    /// trimmed) is skipped and comes back in `lost`, and in the log.
    /// - Throws: an I/O error or a missing encryption key; nothing is lost by trying again.
    package func read(after offset: Offset, rows: Int, bytes: Int) throws(LogFault) -> Result {
        let result = try cursor.read(after: offset, rows: rows, bytes: bytes)
        for range in result.lost where range.upperBound > reported {
            reported = range.upperBound
            lostRows(range)
        }
        return Result(chunks: result.chunks, lost: result.lost)
    }

    /// The layout that a block's fingerprint stands for.
    package func layout(of fingerprint: Fingerprint) throws(LogFault) -> RowLayout {
        guard let layout = layouts.layout(of: fingerprint) else { throw .unknownLayout(fingerprint) }
        return layout
    }

    /// Blocks until there is a row after `offset` (true), or until `deadline` has passed or `wake` was called (false).
    package func waitForData(after offset: Offset, within timeout: Duration) -> Bool {
        let seen = seenWakes
        let outcome = lane.board.wait(until: .after(timeout)) { board, _ -> (hasData: Bool, wakes: Int)? in
            if board.durable > offset { return (true, board.wakes) }
            if board.wakes != seen { return (false, board.wakes) }
            board.readersWaitAfter = min(board.readersWaitAfter ?? offset, offset)
            return nil
        }
        guard let outcome else { return false }
        seenWakes = outcome.wakes
        return outcome.hasData
    }

    /// Makes a `waitForData` that is under way, or else the next one, return.
    package func wake() {
        lane.board.broadcast { $0.wakes += 1 }
    }
}
