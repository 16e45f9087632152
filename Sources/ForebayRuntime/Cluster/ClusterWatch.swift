import Delivery
import DurableQueue
import Instruments
import LibPQClient
import Logging
import Records
import SegmentedLog
import Synchronization
import Topology

/// Asks every node for itself and for its visible ledger, each on a thread of its own; chooses the primary, and moves the lanes' replicated watermarks.
///
/// A node that hangs costs its own thread only. The decisions are those of `Topology`.
final class ClusterWatch: PrimaryDirectory, Sendable {
    struct Settings: Sendable {
        var cluster: ClusterMachine.Settings
        /// For one look at one node.
        var timeout: Duration
    }

    private struct State {
        var isStopping = false
        /// Counts the calls of `lookAgain`.
        var calls = 0
        var machine: ClusterMachine
        var pace = LookPace()
        /// Queues of others that readers have asked about, and when last.
        var guests: [QueueID: Duration] = [:]
    }

    /// A structure, since a function that is itself the value of a generic type is wrapped once more whenever it is lent out by `withLock`, and the wrapping is
    /// stored back: after some ten thousand looks a call of it would overflow the stack.
    private struct Audience {
        var listener: (@Sendable (PrimaryChoice) -> Void)?
        var spectator: (@Sendable (Look) -> Void)?
    }

    let primaryChanges = Counter()
    let degradations = Counter()
    private let queue: DurableQueue
    private let journal: DeliveryJournal
    private let settings: Settings
    private let file: ClusterFile
    private let log: Logger
    private let clock = MonotonicClock()
    private let interrupt = Interrupt()
    private let state: Monitor<State>
    /// Held from an observation to the end of what follows from it, so that nothing overtakes what has to be on disk first.
    private let deciding = Mutex(())
    private let threads = Mutex<[OwnedThread]>([])
    private let audience = Mutex(Audience())

    /// A primary that has not answered for so long may hang, and another node be promoted at any moment.
    private static let suspicion = Duration.milliseconds(500)

    init(_ settings: Settings, queue: DurableQueue, journal: DeliveryJournal, log: Logger) {
        self.settings = settings
        self.queue = queue
        self.journal = journal
        self.log = log
        file = ClusterFile(directory: queue.directory.path)
        let memory = file.read()
        if case .failure(let fault) = memory {
            log.critical(
                "what is remembered of the cluster can't be read; nothing is delivered",
                metadata: ["reason": "\(fault)"]
            )
        }
        let lanes = queue.lanes.all.compactMap { queue.progress(of: $0) }
        let replicated = Dictionary(uniqueKeysWithValues: lanes.map { ($0.key, $0.replicated) })
        state = Monitor(State(machine: ClusterMachine(settings.cluster, memory: memory, replicated: replicated)))
    }

    /// - Parameter onChoice: told of every new choice, on a node's thread; must not block.
    func start(
        connection: ConnectionSettings,
        onChoice: @escaping @Sendable (PrimaryChoice) -> Void
    ) throws(QueueFault) {
        audience.withLock { $0.listener = onChoice }
        for (index, node) in settings.cluster.nodes.enumerated() {
            var named = connection
            named.applicationName += "/watch"
            let connection = named
            let thread = try OwnedThread(name: "watch-\(index)") {
                self.run(
                    ReplicaProbe(
                        node: node,
                        settings: connection,
                        timeout: self.settings.timeout,
                        interrupt: self.interrupt
                    )
                )
            }
            threads.withLock { $0.append(thread) }
        }
    }

    /// The nodes as they stand after an observation, for whoever routes by them.
    struct Look: Sendable {
        /// nil for a node that said nothing, or not lately.
        var nodes: [(node: NodeAddress, state: NodeState?)]
        var choice: PrimaryChoice
        var memory: ClusterMemory?
        /// The node that was observed now, if it answered.
        var answered: NodeAddress?
        var at: Duration
    }

    /// - Parameter spectator: told of every observation, one after the other, on the nodes' threads; must not block.
    func show(to spectator: @escaping @Sendable (Look) -> Void) {
        audience.withLock { $0.spectator = spectator }
    }

    func stop() {
        state.broadcast { $0.isStopping = true }
        interrupt.fire()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    // MARK: What others ask

    var choice: PrimaryChoice { state.withLock { $0.machine.choice } }

    func lookAgain() {
        state.broadcast { $0.calls += 1 }
    }

    /// What all replicas were once seen to hold of a lane: a failover to any of them can't show less.
    func horizon(of lane: LaneKey) -> Offset { state.withLock { $0.machine.horizon(of: lane) } }

    var replication: ReplicationGuard.State { state.withLock { $0.machine.replication } }

    /// What each node last said and how long ago, in the configured order; nil if it was not asked yet.
    var sightings:
        [(node: NodeAddress, sighting: ClusterView.Sighting?, age: Duration, standing: PrimaryChoice.Standing)]
    {
        let now = clock.now
        let view = state.withLock { $0.machine.view }
        return view.nodes.map { node in
            let sighting = view.sighting(of: node)
            return (
                node, sighting, now - (sighting?.at ?? now),
                PrimaryChoice.Standing(view.fresh(node, at: now), memory: view.memory)
            )
        }
    }

    var memory: ClusterMemory? { state.withLock { $0.machine.view.memory } }

    /// Takes the cluster that answers, or its timeline, as ours. Returns whether there was anything to take.
    func adopt() -> Bool {
        deciding.withLock { _ in
            guard let actions = state.withLock({ $0.machine.adopt(at: clock.now) }) else { return false }
            log.critical("the cluster that answers is taken in place of the one remembered")
            for action in actions { perform(action) }
            return true
        }
    }

    // MARK: The nodes' threads

    private func run(_ probe: ReplicaProbe) {
        while true {
            let (isStopping, calls) = state.withLock { ($0.isStopping, $0.calls) }
            if isStopping { return }
            let lanes = queue.lanes.all
            note(
                probe.observe(queues: Set(lanes.map(\.queue)).union(guests), seeksPrimary: isPrimaryUnsure)
            )
            let pause = pause(isBehind: settle(lanes))
            _ = state.wait(until: .after(pause)) { state, _ in state.isStopping || state.calls != calls ? true : nil }
        }
    }

    private func pause(isBehind: Bool) -> Duration {
        let (isPrimaryUnsure, isHolding) = (isPrimaryUnsure, isBehind && queue.isPressed)
        let isAwaited = queue.isAwaited(.replicated)
        let now = clock.now
        return state.withLock { state in
            if isAwaited { state.pace.await(at: now) }
            return state.pace.pause(isPrimaryUnsure: isPrimaryUnsure, isHolding: isHolding, at: now)
        }
    }

    /// The nodes are to be asked about these queues as well, for some time.
    func want(_ queues: Set<QueueID>) {
        let now = clock.now
        state.withLock { state in
            state.pace.await(at: now)
            for queue in queues where state.guests[queue] != nil || state.guests.count < Self.mostGuests {
                state.guests[queue] = now
            }
        }
    }

    private var guests: Set<QueueID> {
        let now = clock.now
        return state.withLock { state in
            state.guests = state.guests.filter { now - $0.value < Self.guestTime }
            return Set(state.guests.keys)
        }
    }

    /// Asking about a queue costs a row in each look.
    private static let mostGuests = 1024
    private static let guestTime = Duration.seconds(60)

    private var isPrimaryUnsure: Bool {
        let now = clock.now
        return state.withLock { state in
            guard let node = state.machine.choice.node, let sighting = state.machine.view.sighting(of: node) else {
                return true
            }
            return now - sighting.at > Self.suspicion
        }
    }

    private func note(_ observation: NodeObservation) {
        if case .failure(let fault) = observation.state, fault.kind == .stopping { return }
        deciding.withLock { _ in
            let now = clock.now
            for action in state.withLock({ $0.machine.note(observation, at: now) }) { perform(action) }
            if let spectator = audience.withLock({ $0.spectator }) { spectator(look(after: observation, at: now)) }
            guard let actions = state.withLock({ $0.machine.adoptByItself(at: now) }) else { return }
            log.critical("the cluster was made anew and is taken: retention.on_restore is replay")
            for action in actions { perform(action) }
        }
    }

    private func look(after observation: NodeObservation, at now: Duration) -> Look {
        let view = state.withLock { $0.machine.view }
        return Look(
            nodes: view.nodes.map { ($0, view.fresh($0, at: now)) },
            choice: view.choice,
            memory: view.memory,
            answered: (try? observation.state.get()) == nil ? nil : observation.node,
            at: now
        )
    }

    private func perform(_ action: ClusterView.Action) {
        switch action {
        case .remember(let memory): remember(memory)
        case .choose(let choice): choose(choice)
        case .note(let observation):
            switch observation.state {
            case .success(let state):
                log.info(
                    "a node answers",
                    metadata: [
                        "node": "\(observation.node)", "role": state.isInRecovery ? "replica" : "primary",
                        "timeline": "\(state.timeline ?? 0)",
                    ]
                )
            case .failure(let fault):
                log.warning(
                    "a node does not answer",
                    metadata: ["node": "\(observation.node)", "state": "\(fault.kind.rawValue)", "reason": "\(fault)"]
                )
            }
        }
    }

    private func remember(_ memory: ClusterMemory) {
        do throws(FileFault) {
            try file.write(memory)
        } catch {
            // Draining is worth more: it is what makes room on the disk again. A restart before the next change would know less, and say so.
            log.error(
                "what has to be remembered of the cluster can't be written down",
                metadata: ["timeline": "\(memory.timeline)", "reason": "\(error)"]
            )
        }
    }

    private func choose(_ choice: PrimaryChoice) {
        let isAnother = state.withLock { $0.machine.act(on: choice) }
        if isAnother { primaryChanges.add() }
        switch choice {
        case .primary(let node, let identifier, let timeline):
            log.notice(
                isAnother ? "another node is the primary" : "the primary is known",
                metadata: ["node": "\(node)", "timeline": "\(timeline)", "system": "\(identifier)"]
            )
        case .none(let obstacle):
            log.warning("nothing is written: \(obstacle)")
        }
        // The other nodes' threads have a shorter pause from here on, and the lanes somewhere to go to.
        lookAgain()
        audience.withLock { $0.listener }?(choice)
    }

    // MARK: Replicated

    /// Moves the lanes' replicated watermarks; returns whether some lane has not caught up with its committed one.
    private func settle(_ lanes: [LaneKey]) -> Bool {
        let claims = lanes.compactMap { lane -> ClusterMachine.Claim? in
            let record = journal.record(of: lane)
            guard record.epoch > 0, let position = record.ledger else { return nil }
            let row = LedgerRow(epoch: record.epoch, position: position)
            return ClusterMachine.Claim(lane: lane, row: row, choice: record.choice)
        }
        let isPressed = queue.isPressed
        let now = clock.now
        let settlement = state.withLock { $0.machine.settle(claims, isPressed: isPressed, at: now) }
        for move in settlement.moves {
            if let held = move.held { queue.setReplicated(held, of: move.lane) }
            queue.giveUp(move.givenUp, of: move.lane)
        }
        if let event = settlement.event { tell(event) }
        return settlement.isBehind
    }

    private func tell(_ event: ReplicationGuard.Event) {
        let required: Logger.Metadata = ["required_replicas": "\(settings.cluster.required)"]
        switch event {
        case .holds:
            log.warning(
                "a required replica does not show what was committed: the queue keeps it, up to its budget",
                metadata: required
            )
        case .degrades:
            degradations.add()
            log.critical(
                "degraded: the disk budget is used up and a required replica is behind; what the primary alone holds is trimmed",
                metadata: required
            )
        case .recovers: log.notice("the required replicas show what is committed again", metadata: required)
        }
    }
}
