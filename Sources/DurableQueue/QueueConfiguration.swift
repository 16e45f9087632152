package import SegmentedLog

/// Everything that the queue wants to know.
package struct QueueConfiguration: Sendable {
    package struct Retention: Hashable, Sendable {
        /// How long rows stay after they were seen on all required replicas.
        package var minAge: Duration
        /// How many bytes of such rows stay at least.
        package var minBytes: Int

        package init(minAge: Duration = .seconds(60), minBytes: Int = 0) {
            self.minAge = minAge
            self.minBytes = minBytes
        }
    }

    package struct Idempotency: Hashable, Sendable {
        package var window: Duration
        package var maxEntries: Int

        package init(window: Duration = .seconds(24 * 3600), maxEntries: Int = 1_000_000) {
            self.window = window
            self.maxEntries = maxEntries
        }
    }

    /// The queue directory. It is made if it is not there; its parent must exist.
    package var path: String
    package var lanes: Int
    /// Bytes that the directory may take.
    package var maxBytes: Int
    /// Bytes of `maxBytes`, and of the file system's free space, that are kept for everything but new segments;
    /// nil: a sixteenth, 256 MiB at most.
    package var reserve: Int?
    /// The most bytes of a segment. Segments are smaller where the budget or the file system is small, so that each lane has room for 16.
    package var segmentBytes: Int
    package var sync: SyncPolicy
    /// Bytes of requests that may wait in memory, over all lanes.
    package var maxPendingBytes: Int
    package var retention: Retention
    package var idempotency: Idempotency
    package var keyRing: KeyRing

    package init(
        path: String,
        lanes: Int = 2,
        maxBytes: Int = 64 << 30,
        reserve: Int? = nil,
        segmentBytes: Int = 64 << 20,
        sync: SyncPolicy = .always,
        maxPendingBytes: Int = 32 << 20,
        retention: Retention = Retention(),
        idempotency: Idempotency = Idempotency(),
        keyRing: KeyRing = KeyRing()
    ) {
        self.path = path
        self.lanes = lanes
        self.maxBytes = maxBytes
        self.reserve = reserve
        self.segmentBytes = segmentBytes
        self.sync = sync
        self.maxPendingBytes = maxPendingBytes
        self.retention = retention
        self.idempotency = idempotency
        self.keyRing = keyRing
    }

    /// The smallest budget with which a queue works.
    package static let smallestBudget = 8 << 20

    /// Every fault of the configuration, as sentences.
    package func validate() -> [String] {
        var faults: [String] = []
        if path.isEmpty { faults.append("queue.path is empty") }
        if !(1...256).contains(lanes) { faults.append("queue.lanes is \(lanes), expected 1 to 256") }
        if maxBytes < Self.smallestBudget {
            faults.append("queue.max_bytes is \(maxBytes) bytes, expected at least \(Self.smallestBudget)")
        }
        if let reserve, reserve < 0 || reserve > maxBytes / 2 {
            faults.append("queue.reserve is \(reserve) bytes, expected at most half of queue.max_bytes")
        }
        if segmentBytes < 64 << 10 || segmentBytes > 4 << 30 {
            faults.append("queue.segment_bytes is \(segmentBytes), expected 64KiB to 4GiB")
        }
        if maxPendingBytes < 1 << 20 {
            faults.append("queue.max_pending_bytes is \(maxPendingBytes), expected at least 1MiB")
        }
        if idempotency.maxEntries < 1 || idempotency.maxEntries > 100_000_000 {
            faults.append("idempotency.max_entries is \(idempotency.maxEntries), expected 1 to 100000000")
        }
        if case .interval(let duration) = sync, duration < .milliseconds(1) {
            faults.append("queue.sync: the interval is \(duration), expected at least 1ms")
        }
        return faults
    }
}
