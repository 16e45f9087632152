/// An idempotency key as the queue stores it: digests, never the agent's text.
package struct IdempotencyKey: Hashable, Sendable {
    /// The first 16 bytes of SHA-256 over the scope (stream and token identity) and the key's text, as two big-endian words.
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A key together with a digest of the request it came with, so that a key that returns with another body is noticed.
package struct KeyedRequest: Hashable, Sendable {
    package var key: IdempotencyKey
    /// The first 8 bytes of SHA-256 over the body, big-endian.
    package var bodyDigest: UInt64

    package init(key: IdempotencyKey, bodyDigest: UInt64) {
        self.key = key
        self.bodyDigest = bodyDigest
    }
}

/// How an append ended.
package enum AppendOutcome: Hashable, Sendable {
    /// On disk. `last` is the position of the request's last event, `count` its events; `repeated` if the key was known.
    case durable(last: Position, count: Int, repeated: Bool)
    /// The key is known with another body.
    case keyReused
    /// The queue's disk budget, or the disk, is used up; nothing was stored.
    case full
    /// More is waiting than the queue takes in memory; nothing was stored.
    case overloaded
    /// A write or a sync failed: the events may or may not be on disk, and must not be acknowledged.
    case failed(reason: String)
    /// The queue is shutting down; nothing was stored.
    case closing
}

/// Where finished appends are reported: one per event loop, so that a group commit wakes each loop once.
package protocol AppendSink: AnyObject, Sendable {
    /// Called on a lane's thread, once per group commit, with the tokens of this sink's appends in the order of their append.
    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)])
}
