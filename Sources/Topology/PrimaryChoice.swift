/// Which node is written to, or why none is. The table is <doc:PrimaryChoice>.
package enum PrimaryChoice: Hashable, Sendable {
    case primary(NodeAddress, systemIdentifier: UInt64, timeline: Int)
    case none(Obstacle)

    package enum Obstacle: Hashable, Sendable {
        case mixed(identifiers: [UInt64])
        case split([NodeAddress], timeline: Int)
        case abandoned([NodeAddress], highest: Int)
        case untold([NodeAddress])
        case replicas
        case foreign([NodeAddress], expected: UInt64)
        case away
        /// What is remembered of the cluster can't be read.
        case forgotten(String)

        /// A node that took writes until now must not: connections that lead to it are broken off. Where merely nobody answers they are kept.
        package var forbidsWriting: Bool {
            switch self {
            case .mixed, .split, .abandoned, .foreign, .forgotten: true
            case .untold, .replicas, .away: false
            }
        }

        /// Another cluster, or another timeline, would have to be taken for ours: an operator may.
        package var isForAnOperator: Bool {
            switch self {
            case .foreign, .abandoned: true
            case .mixed, .split, .untold, .replicas, .away, .forgotten: false
            }
        }
    }

    /// What a node counts as.
    package enum Standing: Hashable, Sendable {
        case away
        case foreign
        case replica
        case untold
        case abandoned
        case writer(timeline: Int)

        /// - Parameter state: what the node last said; nil if it said nothing, or not lately.
        package init(_ state: NodeState?, memory: ClusterMemory?) {
            guard let state else {
                self = .away
                return
            }
            if let memory, state.systemIdentifier != memory.systemIdentifier {
                self = .foreign
            } else if state.isInRecovery {
                self = .replica
            } else if let timeline = state.timeline {
                self = timeline < memory?.timeline ?? 0 ? .abandoned : .writer(timeline: timeline)
            } else {
                self = .untold
            }
        }
    }

    /// - Parameters:
    ///   - nodes: every node, with what it last said; nil if it said nothing, or not lately.
    ///   - memory: nil if no cluster is known yet.
    package static func of(
        _ nodes: [(node: NodeAddress, state: NodeState?)],
        memory: ClusterMemory?
    ) -> PrimaryChoice {
        let identifiers = Set(nodes.compactMap { $0.state?.systemIdentifier })
        if memory == nil, identifiers.count > 1 { return .none(.mixed(identifiers: identifiers.sorted())) }
        let standings = nodes.map { (node: $0.node, standing: Standing($0.state, memory: memory)) }
        func all(_ wanted: Standing) -> [NodeAddress] {
            standings.filter { $0.standing == wanted }.map(\.node)
        }

        let highest = standings.compactMap { entry in
            if case .writer(let timeline) = entry.standing { timeline } else { nil }
        }.max()
        if let highest {
            let writers = all(.writer(timeline: highest))
            guard writers.count == 1, let identifier = memory?.systemIdentifier ?? identifiers.first else {
                return .none(.split(writers, timeline: highest))
            }
            return .primary(writers[0], systemIdentifier: identifier, timeline: highest)
        }
        let abandoned = all(.abandoned)
        if let memory, !abandoned.isEmpty { return .none(.abandoned(abandoned, highest: memory.timeline)) }
        let untold = all(.untold)
        if !untold.isEmpty { return .none(.untold(untold)) }
        if !all(.replica).isEmpty { return .none(.replicas) }
        let foreign = all(.foreign)
        if let memory, !foreign.isEmpty {
            return .none(.foreign(foreign, expected: memory.systemIdentifier))
        }
        return .none(.away)
    }

    /// Whether a node that takes writes, and says this of itself on a connection, is the one that was chosen: the choice was made of what was seen on another
    /// connection, and the name may lead elsewhere by now.
    package func admits(systemIdentifier found: UInt64, timeline reached: Int) -> Bool {
        guard case .primary(_, let identifier, let timeline) = self else { return false }
        return found == identifier && reached >= timeline
    }

    package var node: NodeAddress? {
        if case .primary(let node, _, _) = self { node } else { nil }
    }
}

extension PrimaryChoice: CustomStringConvertible {
    package var description: String {
        switch self {
        case .primary(let node, let identifier, let timeline): "\(node) on timeline \(timeline) of system \(identifier)"
        case .none(let obstacle): obstacle.description
        }
    }
}

extension PrimaryChoice.Obstacle: CustomStringConvertible {
    package var description: String {
        switch self {
        case .mixed(let identifiers):
            "the configured nodes are of different clusters (system identifiers "
                + "\(list(identifiers))); name the nodes of one cluster in postgres.nodes"
        case .split(let nodes, let timeline):
            "\(nodes.count) primaries on timeline \(timeline) (\(list(nodes))): neither is written to; "
                + "stop the wrong one, or take it back as a replica"
        case .abandoned(let nodes, let highest):
            "only \(list(nodes)) takes writes, on a timeline lower than \(highest), which was the last primary's; "
                + "bring that one back, or take this one: forebay lanes resume --replay or --skip"
        case .untold(let nodes): "\(list(nodes)) takes writes and does not tell its timeline"
        case .replicas: "no primary: the nodes that answer are replicas"
        case .foreign(let nodes, let expected):
            "\(list(nodes)) belongs to another cluster: expected system identifier \(expected); correct postgres.nodes, "
                + "or take the other cluster: forebay lanes resume --replay or --skip"
        case .away: "no node answers"
        case .forgotten(let reason): reason
        }
    }

    private func list(_ items: [some CustomStringConvertible]) -> String {
        items.map(\.description).joined(separator: ", ")
    }
}
