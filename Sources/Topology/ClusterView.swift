package import Records

/// The cluster as its nodes last described it, and the choice that follows. Calls nothing: the watch asks the nodes, acts, and writes down what is to be
/// remembered.
///
/// Owner: whoever serialises the observations.
package struct ClusterView: Sendable {
    /// The configured nodes, in their order.
    package let nodes: [NodeAddress]
    /// nil as long as no cluster is known.
    package private(set) var memory: ClusterMemory?
    private var sightings: [NodeAddress: Sighting] = [:]
    /// Why nothing may be chosen, though nodes answer.
    private var obstacle: PrimaryChoice.Obstacle?
    private var chosen = PrimaryChoice.none(.away)

    /// What a node said, and when.
    package struct Sighting: Hashable, Sendable {
        package var observation: NodeObservation
        package var at: Duration
    }

    /// What is to be done about an observation, in this order.
    package enum Action: Hashable, Sendable {
        /// To the disk, before the choice that follows is acted upon.
        case remember(ClusterMemory)
        /// Another node is written to, or none, or one again.
        case choose(PrimaryChoice)
        /// A node answers that did not, or the other way round.
        case note(NodeObservation)
    }

    /// An answer that is older than this says nothing about now: the node hangs, or the way there does.
    package static let freshness = Duration.seconds(3)

    /// - Parameter memory: of the last process; a failure keeps anything from being chosen.
    package init(nodes: [NodeAddress], memory: Result<ClusterMemory?, ClusterMemory.Fault>) {
        self.nodes = nodes
        switch memory {
        case .success(let found): self.memory = found
        case .failure(let fault): obstacle = .forgotten(fault.description)
        }
        if let obstacle { chosen = .none(obstacle) }
    }

    /// A node was observed.
    package mutating func note(_ observation: NodeObservation, at now: Duration) -> [Action] {
        let before = sightings[observation.node]?.observation.state
        sightings[observation.node] = Sighting(observation: observation, at: now)
        let isNews: Bool =
            switch (before, observation.state) {
            case (.success?, .success): false
            case (.failure(let old)?, .failure(let new)): old.kind != new.kind
            default: true
            }
        return choose(at: now) + (isNews ? [.note(observation)] : [])
    }

    /// Looks at the choice again: time passes too.
    package mutating func choose(at now: Duration) -> [Action] {
        var choice = PrimaryChoice.none(.away)
        if let obstacle {
            choice = .none(obstacle)
        } else if memory != nil || nodes.allSatisfy({ sightings[$0] != nil }) {
            // Which cluster is ours is decided once: after every node has had its say.
            choice = PrimaryChoice.of(nodes.map { ($0, fresh($0, at: now)) }, memory: memory)
        }
        var actions: [Action] = []
        if case .primary(_, let identifier, let timeline) = choice {
            let seen = ClusterMemory(systemIdentifier: identifier, timeline: timeline)
            if seen != memory {
                memory = seen
                actions.append(.remember(seen))
            }
        }
        if choice != chosen {
            chosen = choice
            actions.append(.choose(choice))
        }
        return actions
    }

    /// An operator, or the configuration, takes the cluster that answers in place of the one remembered, or its timeline.
    ///
    /// Nil if there is nothing of the kind to take: then a choice is not in want of one.
    package mutating func adopt(at now: Duration) -> [Action]? {
        guard case .none(let reason) = chosen, reason.isForAnOperator else { return nil }
        let states = nodes.compactMap { fresh($0, at: now) }
        let writers = states.filter { !$0.isInRecovery && $0.timeline != nil }
        guard writers.count == 1, let timeline = writers[0].timeline else { return nil }
        let taken = ClusterMemory(systemIdentifier: writers[0].systemIdentifier, timeline: timeline)
        memory = taken
        return [.remember(taken)] + choose(at: now)
    }

    /// All nodes answer, and all are of one and the same other cluster: not a node that was named by mistake.
    package func isWhollyForeign(at now: Duration) -> Bool {
        guard let memory else { return false }
        let identifiers = nodes.map { fresh($0, at: now)?.systemIdentifier }
        guard let first = identifiers.first, let first else { return false }
        return first != memory.systemIdentifier && identifiers.allSatisfy { $0 == first }
    }

    package var choice: PrimaryChoice { chosen }

    package func sighting(of node: NodeAddress) -> Sighting? { sightings[node] }

    /// What a node last said, unless that is too long ago, or it could not be asked.
    package func fresh(_ node: NodeAddress, at now: Duration) -> NodeState? {
        guard let sighting = sightings[node], now - sighting.at <= Self.freshness else { return nil }
        return try? sighting.observation.state.get()
    }

    /// The lane's row on each replica of this cluster that answers and has one.
    ///
    /// - Parameter primary: the node that the lane was claimed on. It may be a replica by now; it holds what was committed there because it was
    ///   committed there, and is no other node's copy.
    package func shown(_ lane: LaneKey, besides primary: NodeAddress, at now: Duration) -> [LedgerRow] {
        nodes.compactMap { node in
            guard node != primary, let state = fresh(node, at: now), state.isInRecovery,
                state.systemIdentifier == memory?.systemIdentifier
            else { return nil }
            return state.ledger?[lane]
        }
    }
}
