package import Records

/// The watermarks of a lane whose passing can be waited for.
package enum Watermark: Hashable, Sendable, CaseIterable {
    case durable
    case committed
    case replicated
}

/// How far a lane has got: inclusive offsets, 0 for none.
package struct LaneProgress: Hashable, Sendable {
    package var key: LaneKey
    /// In memory at least; may fall back when a write fails.
    package var accepted: Offset
    /// On disk, acknowledged, readable.
    package var durable: Offset
    /// As `setCommitted` was told.
    package var committed: Offset
    /// As `setReplicated` was told.
    package var replicated: Offset
    /// The last offset that is no longer on disk.
    package var trimmed: Offset
    /// The lane belongs to another queue id or number of lanes: it is read and trimmed, not written.
    package var isDraining: Bool
    /// Why nothing can be written to it; nil if something can.
    package var readOnlyReason: String?
    /// For how long the oldest row has waited that is not committed; nil if there is none. A second old at most.
    package var oldestUncommitted: Duration?

    /// Rows on disk that are not committed.
    package var backlog: Int { committed.distance(to: durable) }
}
