package import Records

/// The queue as a lane's flusher sees it. Used on the lane's flusher thread only.
package protocol ChunkSource: AnyObject {
    /// The last offset on disk.
    var durable: Offset { get }
    /// The first offset that can still be read; one past `durable` if there is none.
    var firstAvailable: Offset { get }
    /// Reads the rows after `offset`, whole blocks, until `limit` is reached or the durable end; empty at the end.
    ///
    /// The first chunk begins at `offset` + 1 exactly: a block that straddles it is cut. A range that can't be read (corrupt,
    /// quarantined) is skipped and comes back in `lost`.
    func read(after offset: Offset, limit: ReadLimit) throws(SourceFault) -> ReadResult
    /// The layout that a block's fingerprint stands for.
    func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout
    /// The columns of the layout, by index and ascending, whose equal values are best sent together (see <doc:Speed>); empty if the rows
    /// are to be sent as they came.
    func grouping(of layout: RowLayout) -> [Int]
}

extension ChunkSource {
    package func grouping(of layout: RowLayout) -> [Int] { [] }
}

package struct ReadLimit: Hashable, Sendable {
    package var rows: Int
    package var bytes: Int

    package init(rows: Int, bytes: Int) {
        self.rows = rows
        self.bytes = bytes
    }
}

package struct ReadResult: Sendable {
    /// Contiguous but for the ranges in `lost`.
    package var chunks: [RowChunk]
    package var lost: [ClosedRange<Offset>]

    package init(chunks: [RowChunk], lost: [ClosedRange<Offset>] = []) {
        self.chunks = chunks
        self.lost = lost
    }
}

/// The queue can't be read just now (an I/O error); nothing is lost by trying again.
package struct SourceFault: Error, Hashable, Sendable {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }
}
