import Delivery
import Records
import SegmentedLog

/// What a simulated proxy stands among. Kept by the world over all lives of the proxy.
struct ProxySurroundings {
    var plan: WorldPlan
    var fileSystem: any FileSystem
    var fuse: Fuse
    var clock: SimulatedClock
    /// nil where there is one PostgreSQL.
    var watch: SimulatedWatch.Surroundings?
    var history: History
    var layouts: any LayoutSource
    /// Makes a lane's connection, with what may be planted in front of it.
    var connect: (ClusterSession?) -> any Destination
    /// What may be planted in front of the dead-letter store.
    var letters: (any DeadLetterStore) -> any DeadLetterStore
    /// False plants a fault: a start does not read the keys on disk.
    var restoresKeys: Bool
    /// Committed counts as replicated: there is no replica, or a fault is planted.
    var trimsAtCommit: Bool
    var count: (Tally.Event, Int) -> Void
    /// A lane holds nothing any more up to this offset; true if the replicas were known to lack some of that.
    var didTrim: (SimulatedProxy, LaneKey, Offset, Bool) -> Void
    /// Letters that are on disk now.
    var didRecord: ([DeadLetter]) -> Void

    static let directory = QueueDirectory("queue")
    static let letters = "queue/dead-letters"
}
