package import Records

/// What each node counts as for readers, with the memory that hysteresis and the grace period need. The rules are in <doc:ReadChoice>.
///
/// Owner: whoever serialises the observations.
package struct ReadRoster: Sendable {
    /// How far a replica may be behind.
    package struct Bounds: Hashable, Sendable {
        package var lag: Duration
        package var bytes: UInt64
        /// How long a replica that was within its bounds may be beyond them.
        package var grace: Duration

        package init(lag: Duration, bytes: UInt64, grace: Duration = .seconds(3)) {
            self.lag = lag
            self.bytes = bytes
            self.grace = grace
        }

        fileprivate var half: Bounds { Bounds(lag: lag / 2, bytes: bytes / 2, grace: grace) }
    }

    package enum Standing: String, Hashable, Sendable, CaseIterable {
        case away, foreign, primary, astray, behind, ready
    }

    /// A replica from one look to the next.
    private enum Replica: Sendable {
        /// Beyond its bounds since then, if it is. To `behind` when the grace period is over.
        case ready(beyondSince: Duration?)
        /// To `ready` within half of the bounds.
        case behind
    }

    private let bounds: Bounds
    private var replicas: [NodeAddress: Replica] = [:]

    package init(bounds: Bounds) {
        self.bounds = bounds
    }

    /// - Parameters:
    ///   - nodes: every node, with what it last said; nil if it said nothing, or not lately.
    ///   - choice: the primary that follows from the same sayings.
    ///   - memory: nil if no cluster is known yet.
    ///   - claims: the epoch of every lane that was claimed.
    package mutating func look(
        _ nodes: [(node: NodeAddress, state: NodeState?)],
        choice: PrimaryChoice,
        memory: ClusterMemory?,
        claims: [LaneKey: Int64],
        at now: Duration
    ) -> [Standing] {
        let primary = nodes.first { $0.node == choice.node }?.state
        return nodes.map { node, state in
            guard let state else {
                replicas[node] = nil
                return .away
            }
            if let memory, memory.systemIdentifier != state.systemIdentifier {
                replicas[node] = nil
                return .foreign
            }
            guard state.isInRecovery else {
                replicas[node] = nil
                return node == choice.node ? .primary : .astray
            }
            let replica = step(
                replicas[node],
                isWithin: isWithin(bounds, state, primary, claims),
                isWell: isWithin(bounds.half, state, primary, claims),
                at: now
            )
            replicas[node] = replica
            return if case .ready = replica { .ready } else { .behind }
        }
    }

    private func step(_ replica: Replica?, isWithin: Bool, isWell: Bool, at now: Duration) -> Replica {
        switch replica {
        case nil: isWithin ? .ready(beyondSince: nil) : .behind
        case .behind: isWell ? .ready(beyondSince: nil) : .behind
        case .ready(let since):
            if isWithin {
                .ready(beyondSince: nil)
            } else if let since, now - since > bounds.grace {
                .behind
            } else {
                .ready(beyondSince: since ?? now)
            }
        }
    }

    private func isWithin(
        _ bounds: Bounds,
        _ state: NodeState,
        _ primary: NodeState?,
        _ claims: [LaneKey: Int64]
    ) -> Bool {
        guard let primary else { return true }
        let bytes = state.bytesBehind(primary)
        if bytes == 0 { return true }
        if let bytes, bytes > bounds.bytes { return false }
        guard state.replayLag.map({ $0 <= bounds.lag }) ?? state.isReceiving else { return false }
        return claims.allSatisfy { lane, epoch in state.ledger?[lane]?.epoch == epoch }
    }
}
