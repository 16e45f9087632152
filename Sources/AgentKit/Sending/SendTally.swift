import Synchronization

/// What a sending verb has done so far, and its summary at the end.
package struct SendCounts: Hashable, Sendable, Encodable {
    /// Lines of the input, empty ones included.
    package var lines = 0
    /// Events that were sent at least once.
    package var sent = 0
    /// Events that the server has on disk.
    package var acknowledged = 0
    /// Events that the server, or the limit on a line's length, refused.
    package var refused = 0
    /// Acknowledged events of requests that the server knew already: an earlier sending had arrived.
    package var repeated = 0
    /// Requests that were sent again.
    package var resends = 0
    package var requests = 0
    package var bytes = 0
    /// Events whose delivery was given up: the server may or may not have them.
    package var unacknowledged = 0
    /// Why the run ended before its input did.
    package var stopped: String?
    /// The last reason for a resend, while it holds.
    package var trouble: String?
    /// The receipt of the last acknowledgement.
    package var lastReceipt: String?

    package init() {}
}

/// The shared counts of the tasks of one run. Any task may change them.
package final class SendTally: Sendable {
    private let counts = Mutex(SendCounts())

    package init() {}

    package func change(_ body: (inout sending SendCounts) -> Void) {
        counts.withLock { body(&$0) }
    }

    package var snapshot: SendCounts { counts.withLock { $0 } }
}
