/// What the ops port needs of the rest of the proxy. Implemented by the runtime, and by a script in tests.
///
/// Called from several tasks at once.
package protocol OpsBackend: AnyObject, Sendable {
    /// Whether ingest accepts events now, be it for some streams only. Asked by load balancers often, so it must be cheap.
    func ingestCheck() async -> OpsCheck
    /// Whether the table of every stream is known.
    func streamsCheck() async -> OpsCheck
    /// Whether there is a primary.
    func primaryCheck() async -> OpsCheck
    func status() async -> StatusSnapshot
    /// Sends the chosen letters again.
    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport
    /// Deletes the chosen letters for good.
    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport
    /// Lets lanes go on that are held.
    func resumeLanes(_ request: LaneResumption) async throws(OpsFault) -> LaneReport
}

/// Which dead letters are meant; what is nil does not narrow the choice. In JSON, one of `all`, `stream` and `positions` must be
/// given, so that an empty body chooses nothing.
package struct DeadLetterChoice: Codable, Hashable, Sendable {
    /// Must be true where neither of the others is given.
    package var all: Bool?
    package var stream: String?
    /// Receipts, `<queue>.<lane>.<offset>`.
    package var positions: [String]?

    package init(all: Bool? = nil, stream: String? = nil, positions: [String]? = nil) {
        self.all = all
        self.stream = stream
        self.positions = positions
    }

    package var choosesSomething: Bool {
        all == true || stream != nil || positions?.isEmpty == false
    }
}

package struct DeadLetterReport: Codable, Hashable, Sendable {
    /// Letters that were retried or discarded.
    package var letters: Int

    package init(letters: Int) {
        self.letters = letters
    }
}

/// What is to become of lanes that are held.
package struct LaneResumption: Codable, Hashable, Sendable {
    package enum Order: String, Codable, Hashable, Sendable {
        /// What was committed before is sent again, as far as it is on disk.
        case replay
        /// It is not.
        case skip
    }

    package var order: Order
    /// `<queue>.<lane>`; nil for all that are held.
    package var lane: String?

    package init(order: Order, lane: String? = nil) {
        self.order = order
        self.lane = lane
    }
}

package struct LaneReport: Codable, Hashable, Sendable {
    /// Lanes that were given the order.
    package var lanes: Int

    package init(lanes: Int) {
        self.lanes = lanes
    }
}

/// Why the backend could not do as asked.
package struct OpsFault: Error, Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// The request is wrong: 400.
        case request
        /// What it names is not there: 404.
        case missing
        /// It can't be done just now: 503.
        case unavailable
    }

    package var kind: Kind
    /// A sentence.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
