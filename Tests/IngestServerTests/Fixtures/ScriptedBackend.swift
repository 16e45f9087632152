import IngestFormats
import Records
import Synchronization

@testable import IngestServer

/// A backend without a queue: it notes what it is handed, and answers at once or when the test says so, in the order
/// that the test says. Offsets are counted per lane; connections all go to lane 0, order keys to lane 1.
final class ScriptedBackend: IngestBackend {
    struct Append: Sendable {
        var batch: RowBatch
        var lane: LaneChoice
        var keyed: KeyedRequest?
        var sink: any AppendSink
        var token: UInt64
    }

    struct Wait: Sendable {
        var level: WaitLevel
        var position: Position
        var then: @Sendable (WaitOutcome) -> Void
    }

    private struct State {
        var plans: [String: DecodePlan] = [:]
        var intake = Intake.accepting
        var holds = false
        var tokens: [String: Identity]?
        var forbidden: Set<String> = []
        var outcomes: [AppendOutcome] = []
        var held: [Append] = []
        /// Handed over since the last `commitAppended`.
        var lying: [Append] = []
        var waits: [Wait] = []
        var offsets: [UInt16: UInt64] = [:]
        var appended: [Append] = []
        var changed: [CheckedContinuation<Void, Never>] = []
    }

    static let queue = QueueID(high: 0x0011_2233_4455_4677, low: 0x8899_AABB_CCDD_EEFF)
    static let queueText = "00112233-4455-4677-8899-aabbccddeeff"

    private let state = Mutex(State())
    private let tracked: Set<WaitLevel>

    init(streams: [StreamSchema] = [ScriptedBackend.events], tracked: Set<WaitLevel> = [.committed]) throws {
        self.tracked = tracked
        for schema in streams {
            let plan = try DecodePlan(schema: schema)
            state.withLock { $0.plans[schema.stream] = plan }
        }
    }

    /// The stream that most tests send to.
    static let events = StreamSchema(
        stream: "events",
        table: TableName(schema: "public", name: "events"),
        columns: [
            Column(name: "id", type: .int4, notNull: true),
            Column(name: "name", type: .text),
            Column(name: "at", type: .timestamptz),
            Column(name: "tags", type: .jsonb),
        ]
    )

    // MARK: - The script

    var intakeNow: Intake {
        get { state.withLock { $0.intake } }
        set { state.withLock { $0.intake = newValue } }
    }

    /// From now on appends wait for `release`.
    func hold() { state.withLock { $0.holds = true } }

    /// The next appends end like this; then they are durable again.
    func script(_ outcomes: AppendOutcome...) { state.withLock { $0.outcomes = outcomes } }

    func require(_ tokens: [String: Identity], forbidding streams: Set<String> = []) {
        state.withLock {
            $0.tokens = tokens
            $0.forbidden = streams
        }
    }

    /// Suspends until `count` appends are held.
    func waitForHeld(_ count: Int) async {
        while state.withLock({ $0.held.count }) < count { await change { $0.held.count >= count } }
    }

    func waitForWaits(_ count: Int) async {
        while state.withLock({ $0.waits.count }) < count { await change { $0.waits.count >= count } }
    }

    private func change(unless isThere: (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if isThere(state) { return true }
                state.changed.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Ends held appends, by their place in the order of arrival, all of them in one group commit.
    func release(_ indices: Int...) {
        let ended = state.withLock { state in
            let chosen = indices.map { state.held[$0] }
            for index in indices.sorted(by: >) { state.held.remove(at: index) }
            return chosen.map { ($0, Self.outcome(of: $0, &state)) }
        }
        tell(ended)
    }

    /// Ends every held append, and from now on each at once.
    func releaseAll() {
        let ended = state.withLock { state in
            state.holds = false
            defer { state.held = [] }
            return state.held.map { ($0, Self.outcome(of: $0, &state)) }
        }
        tell(ended)
    }

    func endWaits(_ outcome: WaitOutcome) {
        let waits = state.withLock { state in
            defer { state.waits = [] }
            return state.waits
        }
        for wait in waits { wait.then(outcome) }
    }

    var appended: [Append] { state.withLock { $0.appended } }
    var waits: [Wait] { state.withLock { $0.waits } }
    var rowCount: Int { appended.reduce(0) { $0 + $1.batch.rowCount } }

    private func tell(_ ended: [(append: Append, outcome: AppendOutcome)]) {
        for (append, outcome) in ended { append.sink.appendsDidFinish([(append.token, outcome)]) }
    }

    private static func outcome(of append: Append, _ state: inout State) -> AppendOutcome {
        if !state.outcomes.isEmpty { return state.outcomes.removeFirst() }
        let lane: UInt16 = if case .ordered = append.lane { 1 } else { 0 }
        let last = state.offsets[lane, default: 0] + UInt64(append.batch.rowCount)
        state.offsets[lane] = last
        return .durable(
            last: Position(queue: queue, lane: LaneID(lane), offset: Offset(last)),
            count: append.batch.rowCount,
            repeated: false
        )
    }

    // MARK: - IngestBackend

    /// The stream that is configured, and whose table nobody has read yet.
    static let waitingStream = "waiting"

    func absence(of stream: String) -> String? {
        stream == Self.waitingStream ? "its table has not been read yet" : nil
    }

    func plan(for stream: String) -> DecodePlan? { state.withLock { $0.plans[stream] } }

    func authorize(token: String?, stream: String) -> Authorization {
        state.withLock { state in
            guard let tokens = state.tokens else { return .allowed(.anonymous) }
            guard let token, let identity = tokens[token] else { return .unauthenticated }
            return state.forbidden.contains(stream) ? .forbidden(identity) : .allowed(identity)
        }
    }

    var intake: Intake { intakeNow }

    func append(
        _ batch: RowBatch,
        lane: LaneChoice,
        keyed: KeyedRequest?,
        sink: any AppendSink,
        token: UInt64
    ) {
        let append = Append(batch: batch, lane: lane, keyed: keyed, sink: sink, token: token)
        let changed = state.withLock { state in
            state.appended.append(append)
            if state.holds { state.held.append(append) } else { state.lying.append(append) }
            defer { state.changed = [] }
            return state.changed
        }
        for continuation in changed { continuation.resume() }
    }

    func commitAppended() {
        let ended = state.withLock { state in
            defer { state.lying = [] }
            return state.lying.map { ($0, Self.outcome(of: $0, &state)) }
        }
        tell(ended)
    }

    func tracks(_ level: WaitLevel) -> Bool { tracked.contains(level) }

    func wait(
        for level: WaitLevel,
        at position: Position,
        deadline: Duration,
        then: @escaping @Sendable (WaitOutcome) -> Void
    ) {
        let changed = state.withLock { state in
            state.waits.append(Wait(level: level, position: position, then: then))
            defer { state.changed = [] }
            return state.changed
        }
        for continuation in changed { continuation.resume() }
    }
}
