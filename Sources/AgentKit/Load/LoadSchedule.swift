/// When the requests of one connection are meant to start, in an open loop: the times are fixed beforehand, so a server that
/// stalls makes later requests late and does not make them fewer. Latency is counted from these times ("coordinated omission" is
/// what hides stalls otherwise).
///
/// All connections together keep the rate; the requests of connection k of K are the k-th, (k+K)-th, … of the whole.
package struct LoadSchedule: Hashable, Sendable {
    /// Requests a second over all connections; nil for a closed loop, where the next starts when one is answered.
    package let rate: Double?
    package let connection: Int
    package let connections: Int
    /// No request starts at or after this.
    package let end: Duration
    /// How many requests have started.
    package private(set) var started = 0

    /// - Parameter rate: nil or above 0.
    package init(rate: Double?, connection: Int, of connections: Int, end: Duration) {
        precondition(connection >= 0 && connection < connections, "a connection has its number among all")
        self.rate = rate
        self.connection = connection
        self.connections = connections
        self.end = end
    }

    package enum Turn: Hashable, Sendable {
        /// Start a request now; its latency counts from `intended`.
        case start(intended: Duration)
        case wait(until: Duration)
        case over
    }

    /// Whether a request is still to start, now or later.
    package func hasMore(at now: Duration) -> Bool {
        intendedNext.map { $0 < end } ?? (now < end)
    }

    /// What to do at a moment since the start of the run; a `start` must be carried out, for it is counted.
    package mutating func turn(at now: Duration) -> Turn {
        guard hasMore(at: now) else { return .over }
        let intended = intendedNext ?? now
        guard intended <= now else { return .wait(until: intended) }
        started += 1
        return .start(intended: intended)
    }

    /// Nil in a closed loop.
    private var intendedNext: Duration? {
        rate.map { rate in
            .nanoseconds(Int64((Double(connection) + Double(started) * Double(connections)) * 1e9 / rate))
        }
    }
}
