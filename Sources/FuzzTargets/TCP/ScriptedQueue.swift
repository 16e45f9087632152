import IngestFormats
import IngestServer
import Records

/// A queue that ends appends when it is told to, in order, the way it is told to; for one thread.
final class ScriptedQueue: IngestBackend, @unchecked Sendable {
    // Sendable because a run of a fuzz target uses it on its own thread.

    private struct Append {
        var batch: RowBatch
        var keyed: KeyedRequest?
        var sink: any AppendSink
        var token: UInt64
    }

    private let plans: [String: DecodePlan]
    private var open: [Append] = []
    private var waits: [@Sendable (WaitOutcome) -> Void] = []
    private var end = Offset.none
    private var keys: [IdempotencyKey: (digest: UInt64, last: Position, count: Int)] = [:]
    /// The tuples of all rows that are durable, in their order.
    private(set) var durable: [UInt8] = []
    private(set) var durableRows = 0
    var intake = Intake.accepting

    init(_ plans: [DecodePlan]) {
        self.plans = Dictionary(uniqueKeysWithValues: plans.map { ($0.schema.stream, $0) })
    }

    var isIdle: Bool { open.isEmpty && waits.isEmpty }

    /// Ends the oldest append that is under way.
    func finishOne(_ refusal: AppendOutcome?) {
        guard !open.isEmpty else { return }
        let append = open.removeFirst()
        append.sink.appendsDidFinish([(append.token, refusal ?? store(append))])
    }

    func finishWaits(_ outcome: WaitOutcome) {
        let ended = waits
        waits = []
        for then in ended { then(outcome) }
    }

    private func store(_ append: Append) -> AppendOutcome {
        if let keyed = append.keyed, let known = keys[keyed.key] {
            guard known.digest == keyed.bodyDigest else { return .keyReused }
            return .durable(last: known.last, count: known.count, repeated: true)
        }
        end = end.advanced(by: append.batch.rowCount)
        durable += append.batch.bytes
        durableRows += append.batch.rowCount
        let last = Position(queue: QueueImage.key.queue, lane: QueueImage.key.lane, offset: end)
        if let keyed = append.keyed { keys[keyed.key] = (keyed.bodyDigest, last, append.batch.rowCount) }
        return .durable(last: last, count: append.batch.rowCount, repeated: false)
    }

    // MARK: - IngestBackend

    func plan(for stream: String) -> DecodePlan? { plans[stream] }

    func absence(of stream: String) -> String? { stream == "waiting" ? "its table has not been read yet" : nil }

    func authorize(token: String?, stream: String) -> Authorization {
        switch token {
        case "bad": .unauthenticated
        case "other": .forbidden(Identity(name: "other"))
        default: .allowed(token.map { Identity(name: $0) } ?? .anonymous)
        }
    }

    func append(
        _ batch: RowBatch,
        lane: LaneChoice,
        keyed: KeyedRequest?,
        sink: any AppendSink,
        token: UInt64
    ) {
        open.append(Append(batch: batch, keyed: keyed, sink: sink, token: token))
    }

    func commitAppended() {}

    func tracks(_ level: WaitLevel) -> Bool { level == .committed }

    func wait(
        for level: WaitLevel,
        at position: Position,
        deadline: Duration,
        then: @escaping @Sendable (WaitOutcome) -> Void
    ) {
        waits.append(then)
    }
}
