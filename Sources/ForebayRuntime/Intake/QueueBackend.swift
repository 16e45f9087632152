import DurableQueue
import IngestFormats
import IngestServer
import Records
import Synchronization

/// The queue, as the listeners see it.
final class QueueBackend: IngestBackend, Sendable {
    private let queue: DurableQueue
    private let streams: StreamRegistry
    /// nil lets everybody write.
    private let tokens: LiveTokens?
    private let tracksReplicas: Bool
    private let lastWrites: LastWrites?
    private let hurry: @Sendable (Position) -> Void
    private let isClosing = Atomic(false)

    /// - Parameter lastWrites: nil where nobody wants to know who wrote.
    /// - Parameter hurry: told that somebody waits for a position to be committed.
    init(
        queue: DurableQueue,
        streams: StreamRegistry,
        tokens: LiveTokens?,
        tracksReplicas: Bool,
        lastWrites: LastWrites?,
        hurry: @escaping @Sendable (Position) -> Void
    ) {
        self.queue = queue
        self.streams = streams
        self.tokens = tokens
        self.tracksReplicas = tracksReplicas
        self.lastWrites = lastWrites
        self.hurry = hurry
    }

    /// From here on `/healthz` fails and nothing more is taken.
    func close() {
        isClosing.store(true, ordering: .releasing)
    }

    func plan(for stream: String) -> DecodePlan? {
        streams.plan(for: stream)
    }

    func absence(of stream: String) -> String? {
        switch streams.availability(of: stream) {
        case .ready, .unknown: nil
        case .awaitingTable(let reason): reason
        }
    }

    func authorize(token: String?, stream: String) -> Authorization {
        guard let tokens else { return .allowed(.anonymous) }
        guard let token, let entry = tokens.entry(ofToken: token) else { return .unauthenticated }
        let identity = Identity(name: entry.name)
        return entry.mayWrite(to: stream) ? .allowed(identity) : .forbidden(identity)
    }

    var intake: Intake {
        if isClosing.load(ordering: .acquiring) { return .closing }
        if queue.isAccepting { return .accepting }
        let reasons = queue.status().lanes.compactMap(\.readOnlyReason)
        return reasons.isEmpty ? .full : .failed(reason: reasons.joined(separator: "; "))
    }

    func append(_ batch: RowBatch, lane: LaneChoice, keyed: KeyedRequest?, sink: any AppendSink, token: UInt64) {
        let chosen =
            switch lane {
            case .any(let number): queue.lane(from: number)
            case .ordered, .connection: LaneID(UInt16(lane.lane(of: queue.laneCount)))
            }
        queue.append(
            batch,
            lane: chosen,
            keyed: keyed,
            sink: sink,
            token: token,
            commits: false
        )
    }

    func commitAppended() {
        queue.commitAppended()
    }

    var remembersWrites: Bool { lastWrites != nil }

    func didWrite(_ identity: Identity, upTo position: Position) {
        lastWrites?.note(identity.name, upTo: position)
    }

    func tracks(_ level: WaitLevel) -> Bool {
        switch level {
        case .committed: true
        case .replicated: tracksReplicas
        }
    }

    func wait(
        for level: WaitLevel,
        at position: Position,
        deadline: Duration,
        then: @escaping @Sendable (WaitOutcome) -> Void
    ) {
        let watermark: Watermark =
            switch level {
            case .committed: .committed
            case .replicated: .replicated
            }
        let isClosing = isClosing.load(ordering: .acquiring)
        queue.notify(when: watermark, reaches: position, within: deadline) { reached in
            then(reached ? .reached : isClosing ? .closing : .timedOut)
        }
        hurry(position)
    }
}
