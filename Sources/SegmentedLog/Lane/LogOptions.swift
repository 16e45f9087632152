/// When written data is forced to the disk.
package enum SyncPolicy: Hashable, Sendable {
    /// `fdatasync` before every acknowledgement.
    case always
    /// Acknowledged when written; synced at least this often. A power cut takes what was not synced yet.
    case interval(Duration)
    /// Acknowledged when written; the kernel syncs when it likes.
    case never
}

/// Sizes and policies of a lane's log.
package struct LogOptions: Hashable, Sendable {
    /// Bytes of a segment file. A request that is larger gets a larger segment of its own.
    package var segmentBytes: Int
    /// The most bytes of rows in a block, unless one row is larger.
    package var blockBytes: Int
    /// The most bytes of rows in a group commit, unless one request is larger.
    package var groupBytes: Int
    package var sync: SyncPolicy
    /// Spare files kept per lane to be used again.
    package var maximumSpares: Int

    package init(
        segmentBytes: Int = 64 << 20,
        blockBytes: Int = 256 << 10,
        groupBytes: Int = 4 << 20,
        sync: SyncPolicy = .always,
        maximumSpares: Int = 2
    ) {
        self.segmentBytes = segmentBytes
        self.blockBytes = blockBytes
        self.groupBytes = groupBytes
        self.sync = sync
        self.maximumSpares = maximumSpares
    }
}
