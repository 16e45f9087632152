import Delivery
import DurableQueue
import LibPQClient
import Logging
import Records
import Synchronization

/// Asks every node for its own visible ledger, each on a thread of its own, and moves the lanes' replicated watermarks.
///
/// A node that hangs costs its own thread only.
final class ReplicaWatch: Sendable {
    private struct State {
        var isStopping = false
        var observations: [NodeAddress: NodeObservation] = [:]
        var isDegraded = false
    }

    private let queue: DurableQueue
    private let journal: DeliveryJournal
    private let required: Int
    private let log: Logger
    private let interrupt = Interrupt()
    private let state = Monitor(State())
    private let threads = Mutex<[OwnedThread]>([])

    /// How long a node is left alone while there is something to learn, and while there is not.
    private static let shortPause = Duration.milliseconds(50)
    private static let longPause = Duration.seconds(1)

    /// - Parameter required: how many replicas must hold what is trimmed.
    init(queue: DurableQueue, journal: DeliveryJournal, required: Int, log: Logger) {
        self.queue = queue
        self.journal = journal
        self.required = required
        self.log = log
    }

    func start(nodes: [NodeAddress], connection: ConnectionSettings) throws(QueueFault) {
        for (index, node) in nodes.enumerated() {
            var settings = connection
            settings.applicationName += "/watch"
            let named = settings
            let thread = try OwnedThread(name: "watch-\(index)") {
                self.run(ReplicaProbe(node: node, settings: named, interrupt: self.interrupt))
            }
            threads.withLock { $0.append(thread) }
        }
    }

    func stop() {
        state.broadcast { $0.isStopping = true }
        interrupt.fire()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    /// What each node last said of itself, in no particular order.
    var observations: [NodeObservation] { state.withLock { Array($0.observations.values) } }

    private func run(_ probe: ReplicaProbe) {
        while !state.withLock({ $0.isStopping }) {
            let lanes = queue.lanes.all
            let observation = probe.observe(queues: Set(lanes.map(\.queue)))
            note(observation)
            var isBehind = false
            for lane in lanes where !settle(lane) { isBehind = true }
            let pause = isBehind ? Self.shortPause : Self.longPause
            _ = state.wait(until: .after(pause)) { state, _ in state.isStopping ? true : nil }
        }
    }

    private func note(_ observation: NodeObservation) {
        let before = state.withLock { state in
            defer { state.observations[observation.node] = observation }
            return state.observations[observation.node]
        }
        switch (before?.state, observation.state) {
        case (.failure?, .failure): return
        case (_, .failure(let fault)):
            log.warning("a node can't be observed", metadata: ["node": "\(observation.node)", "reason": "\(fault)"])
        case (.failure?, .success), (nil, .success(_)):
            log.info("a node is observed", metadata: ["node": "\(observation.node)"])
        case (.success?, .success): return
        }
    }

    /// Moves a lane's replicated watermark; returns whether it has caught up with the committed one.
    private func settle(_ lane: LaneKey) -> Bool {
        let record = journal.record(of: lane)
        guard let position = record.ledger else { return true }
        let claim = LedgerRow(epoch: record.epoch, position: position)
        let shown = state.withLock { state in
            state.observations.values.compactMap { observation -> LedgerRow? in
                guard case .success(let node) = observation.state, node.isInRecovery, let entry = node.ledger?[lane]
                else {
                    return nil
                }
                return LedgerRow(epoch: entry.epoch, position: entry.position)
            }
        }
        let selected = ReplicatedWatermark.select(from: shown, required: required, claim: claim)
        let watermark = yieldsToBudget(selected, position) ? position : selected
        guard let watermark else { return false }
        queue.setReplicated(watermark, of: lane)
        return watermark >= position
    }

    /// With the disk budget used up, what is committed may go even though a required replica does not show it: ingest is worth more.
    private func yieldsToBudget(_ selected: Offset?, _ committed: Offset) -> Bool {
        let isPressed = !queue.isAccepting
        let yields = isPressed && (selected ?? .none) < committed
        let wasDegraded = state.withLock { state in
            defer { if isPressed == yields { state.isDegraded = yields } }
            return state.isDegraded
        }
        if yields, !wasDegraded {
            log.critical(
                "the disk budget is used up and a required replica is behind: trimming what the primary alone holds",
                metadata: ["required_replicas": "\(required)"]
            )
        }
        return yields
    }
}
