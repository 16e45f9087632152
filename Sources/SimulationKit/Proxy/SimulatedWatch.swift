import Delivery
import Records
import SegmentedLog
import Topology

/// The counterpart of the runtime's `ClusterWatch`: asks the nodes, and does what ``ClusterMachine`` decides. A turn of a node's thread is one call.
final class SimulatedWatch {
    struct Surroundings {
        var cluster: SimulatedCluster
        var settings: ClusterMachine.Settings
        var plant: Plant?
        /// How long a node's answer is on its way.
        var latency: (SimulatedNode) -> Duration
        /// A connection to a node that lets it in.
        var open: (SimulatedNode) -> SimulatedSession
        /// A node has been chosen that was not the last one.
        var didChange: () -> Void
        var didDegrade: () -> Void
    }

    /// Where a node's thread is: it waits until `wakesAt`, or for an answer.
    private struct Watcher {
        var wakesAt = Duration.zero
        var answer: (observation: NodeObservation, arrives: Duration)?
    }

    let surroundings: Surroundings
    private(set) var machine: ClusterMachine
    private var watchers: [Watcher]
    private unowned let proxy: SimulatedProxy
    private let around: ProxySurroundings

    private static let path = "\(ProxySurroundings.directory.path)/\(ClusterMemory.fileName)"
    /// As in the runtime's watch.
    private static let timeout = ClusterView.freshness - .seconds(1)
    private static let shortPause = Duration.milliseconds(50)
    private static let longPause = Duration.milliseconds(250)
    private static let suspicion = Duration.milliseconds(500)

    init(_ surroundings: Surroundings, of proxy: SimulatedProxy) {
        self.surroundings = surroundings
        self.proxy = proxy
        around = proxy.around
        let replicated = proxy.lanes.map { ($0.key, $0.marks.replicated) }
        machine = ClusterMachine(
            surroundings.settings,
            memory: Self.remembered(on: around.fileSystem),
            replicated: Dictionary(uniqueKeysWithValues: replicated)
        )
        watchers = surroundings.cluster.nodes.map { _ in Watcher() }
    }

    private static func remembered(
        on files: any FileSystem
    ) -> Result<ClusterMemory?, ClusterMemory.Fault> {
        let bytes: [UInt8]?
        do throws(FileFault) {
            bytes = try DurableFile.read(path, on: files)
        } catch {
            return error.isMissing ? .success(nil) : .failure(ClusterMemory.Fault(description: "\(error)"))
        }
        do throws(ClusterMemory.Fault) {
            return .success(try ClusterMemory(decoding: bytes ?? []))
        } catch {
            return .failure(error)
        }
    }

    // MARK: What others ask

    /// As of the last look at the nodes.
    var choice: PrimaryChoice {
        surroundings.plant?.choice(machine.view, at: around.clock.now) ?? machine.choice
    }

    func lookAgain() {
        for index in watchers.indices { watchers[index].wakesAt = .zero }
    }

    /// Takes the cluster that answers, or its timeline, as ours. Returns whether there was anything to take.
    func adopt() -> Bool {
        guard let actions = machine.adopt(at: around.clock.now) else { return false }
        for action in actions { perform(action) }
        return true
    }

    // MARK: A turn of a node's thread

    /// Whether the thread has something to do.
    func isDue(_ index: Int) -> Bool {
        (watchers[index].answer?.arrives ?? watchers[index].wakesAt) <= around.clock.now
    }

    func turn(_ index: Int) {
        guard let answer = watchers[index].answer else { return ask(index) }
        watchers[index].answer = nil
        note(answer.observation)
        let isBehind = settle()
        watchers[index].wakesAt = around.clock.now + (isBehind || isPrimaryUnsure ? Self.shortPause : Self.longPause)
    }

    private func ask(_ index: Int) {
        let node = surroundings.cluster.nodes[index]
        var wait = surroundings.latency(node)
        let state: Result<NodeState, NodeFault>
        switch node.health {
        case .up where wait <= Self.timeout: state = .success(node.state(of: Set(proxy.lanes.map(\.key.queue))))
        case .up, .hung:
            wait = Self.timeout
            state = .failure(NodeFault(.hung, "no answer in time"))
        case .down: state = .failure(NodeFault(.down, "connection refused"))
        case .refusing: state = .failure(NodeFault(.refusing, "the database system is starting up"))
        }
        var observation = NodeObservation(node: node.address, state: state)
        surroundings.plant?.garble(&observation, of: node, surroundings.cluster, proxy.claims)
        watchers[index].answer = (observation, around.clock.now + wait)
    }

    private func note(_ observation: NodeObservation) {
        let now = around.clock.now
        for action in machine.note(observation, at: now) { perform(action) }
        for action in machine.adoptByItself(at: now) ?? [] { perform(action) }
    }

    private func perform(_ action: ClusterView.Action) {
        switch action {
        case .remember(let memory):
            do throws(FileFault) {
                try DurableFile.replace(
                    ClusterMemory.fileName,
                    in: ProxySurroundings.directory.path,
                    with: memory.encoded,
                    on: around.fileSystem
                )
                around.history.note(.proxy, "remembers timeline \(memory.timeline) of \(memory.systemIdentifier)")
            } catch {
                around.history.note(.proxy, "can't write down timeline \(memory.timeline): \(error)")
            }
        case .choose(let choice): choose(choice)
        case .note(let observation): around.history.note(.proxy, "sees \(observation.node): \(observation.text)")
        }
    }

    private func choose(_ choice: PrimaryChoice) {
        if machine.act(on: choice) { surroundings.didChange() }
        around.history.note(.proxy, "chooses \(choice)")
        lookAgain()
        switch choice {
        case .primary(let node, _, _): proxy.primaryChanged(to: node)
        case .none(let obstacle): if obstacle.forbidsWriting { proxy.primaryChanged(to: nil) }
        }
    }

    private var isPrimaryUnsure: Bool {
        guard let node = machine.choice.node, let sighting = machine.view.sighting(of: node) else { return true }
        return around.clock.now - sighting.at > Self.suspicion
    }

    /// Moves the lanes' replicated watermarks; returns whether some lane has not caught up.
    private func settle() -> Bool {
        let settlement = machine.settle(proxy.claims, isPressed: proxy.isPressed, at: around.clock.now)
        for move in settlement.moves where !around.trimsAtCommit {
            guard let lane = proxy.lanes.first(where: { $0.key == move.lane }) else { continue }
            if let held = move.held { lane.marks.setReplicated(held) }
            lane.marks.giveUp(move.givenUp)
        }
        if let event = settlement.event {
            around.history.note(.proxy, "replication \(event)")
            if event == .degrades { surroundings.didDegrade() }
        }
        return settlement.isBehind
    }
}

extension NodeObservation {
    fileprivate var text: String {
        switch state {
        case .success(let state):
            "\(state.isInRecovery ? "replica" : "primary"), timeline \(state.timeline ?? 0) of \(state.systemIdentifier)"
        case .failure(let fault): "\(fault)"
        }
    }
}
