package import IngestFormats
package import Records

/// What the listeners need of the rest of the proxy. Implemented over the queue by the runtime, and by a script in
/// tests.
///
/// Every call comes from an event loop, from several at once, and must neither block nor wait: no file, no socket, no
/// lock that is held while somebody else does such a thing.
package protocol IngestBackend: AnyObject, Sendable {
    /// The plan of a stream, nil for one that is not configured or not ready.
    ///
    /// Called once per request, so it must be cheap. May answer with another plan later (the table was altered); the
    /// listeners keep one decoder per plan and loop, told apart by identity, so equal answers should be the same
    /// object.
    func plan(for stream: String) -> DecodePlan?

    /// Why a stream without a plan can't be taken now though it is configured (its table has never been read); nil for
    /// one that is not configured.
    func absence(of stream: String) -> String?

    /// Who may send: `token` is the bearer token as sent, nil if there was none.
    func authorize(token: String?, stream: String) -> Authorization

    /// Whether an append would be taken now. Read before a large body is read, for `/healthz`, and before a retry.
    var intake: Intake { get }

    /// Whether anybody wants to know who has written what.
    var remembersWrites: Bool { get }

    /// Events of an identity are durable up to a position, and it is about to be told so.
    func didWrite(_ identity: Identity, upTo position: Position)

    /// Hands a batch over; from here on nobody changes it. It may lie there until ``commitAppended()`` is called.
    ///
    /// The sink is told exactly once per token how the append ended, on any thread, this call's included.
    /// After an outcome that stored nothing, the same batch may be handed over again.
    func append(
        _ batch: RowBatch,
        lane: LaneChoice,
        keyed: KeyedRequest?,
        sink: any AppendSink,
        token: UInt64
    )

    /// Lets what was handed over be stored: called once an event loop has looked at everything that its sockets brought,
    /// so that it is stored in one group and costs one wake-up.
    func commitAppended()

    /// Whether the watermark is followed at all: `replicated` is not, where there are no replicas to ask.
    func tracks(_ level: WaitLevel) -> Bool

    /// Calls `then` exactly once: when the watermark covers the position, when `deadline` has passed from now, or at
    /// shutdown; on any thread, this call's included.
    func wait(
        for level: WaitLevel,
        at position: Position,
        deadline: Duration,
        then: @escaping @Sendable (WaitOutcome) -> Void
    )
}

extension IngestBackend {
    package var remembersWrites: Bool { false }
    package func didWrite(_ identity: Identity, upTo position: Position) {}
}

/// How an append picks its lane.
package enum LaneChoice: Hashable, Sendable {
    /// The hash of the order key that the agent named: equal keys keep their order.
    case ordered(UInt64)
    /// Any lane; the number is taken modulo the lanes, so that equal numbers go together. While that lane takes nothing, another.
    case any(Int)
    /// Any lane that keeps the order within the connection; see ``lane(of:)``.
    case connection(number: UInt64, loop: Int, loops: Int)

    /// The lane among `lanes`.
    ///
    /// Connections are spread over event loops, and a loop has lanes of its own where there are enough: what it reads at
    /// once becomes one group commit, and its end one wake-up.
    package func lane(of lanes: Int) -> Int {
        switch self {
        case .ordered(let hash):
            return Int(hash % UInt64(lanes))
        case .any(let number):
            return number % lanes
        case .connection(let number, let loop, let loops):
            guard lanes > loops else { return loop % lanes }
            let own = (lanes - loop + loops - 1) / loops
            return loop + loops * Int(number % UInt64(own))
        }
    }
}

/// A watermark beyond durable that an answer can be held for.
package enum WaitLevel: String, Hashable, Sendable, CaseIterable {
    case committed
    case replicated
}

package enum WaitOutcome: Hashable, Sendable {
    case reached
    /// The deadline passed; the events are durable all the same.
    case timedOut
    /// The proxy is shutting down; the events are durable all the same.
    case closing
}

/// Whether ingest takes events.
package enum Intake: Hashable, Sendable {
    case accepting
    /// The disk budget, or the disk, is used up.
    case full
    /// The queue refuses to write: every lane is read-only after failed syncs.
    case failed(reason: String)
    case closing
}

/// The answer to a token.
package enum Authorization: Hashable, Sendable {
    case allowed(Identity)
    /// No token where one is needed, or one that is not known: 401.
    case unauthenticated
    /// The token is known but not for this stream: 403.
    case forbidden(Identity)
}

/// Whom a token stands for. Idempotency keys of different identities never meet.
package struct Identity: Hashable, Sendable {
    package var name: String

    package init(name: String) {
        self.name = name
    }

    /// Whoever sends where no token is asked for.
    package static let anonymous = Identity(name: "")
}
