package import Instruments

/// The queue's instruments. Anyone may read them.
package final class QueueMetrics: Sendable {
    /// Events acknowledged as durable by this process, repeats not counted.
    package let acceptedEvents = Counter()
    /// Requests acknowledged as durable, repeats not counted.
    package let acceptedRequests = Counter()
    /// Keyed requests that were answered with an earlier receipt.
    package let repeatedRequests = Counter()
    package let overloadedRequests = Counter()
    package let fullRequests = Counter()
    package let failedRequests = Counter()
    /// Group commits.
    package let commits = Counter()
    /// Events per group commit.
    package let commitEvents = Histogram()
    /// Bytes per group commit as written, padding included.
    package let commitBytes = Histogram()
    /// Microseconds per `fdatasync`.
    package let syncLatency = Histogram()
    /// Bytes written to segments.
    package let writtenBytes = Counter()
    /// Writes and syncs that failed.
    package let failedCommits = Counter()
    /// Rows that could not be read back.
    package let lostEvents = Counter()
    /// Idempotency keys that were forgotten before their time, for lack of room.
    package let forgottenKeys = Counter()
    /// Bytes of requests waiting in memory.
    package let pendingBytes = Gauge()

    package init() {}
}
