import Records
import Topology

/// Faults planted between a proxy and its cluster.
extension Plant {
    /// The choice of a directory that takes the first node that takes writes, whatever its timeline; nil for the real one.
    func choice(_ view: ClusterView, at now: Duration) -> PrimaryChoice? {
        guard self == .lowerTimeline else { return nil }
        for node in view.nodes {
            if let state = view.fresh(node, at: now), !state.isInRecovery, let timeline = state.timeline,
                state.systemIdentifier == view.memory?.systemIdentifier
            {
                return .primary(node, systemIdentifier: state.systemIdentifier, timeline: timeline)
            }
        }
        return nil
    }

    /// Changes what a replica is seen to show.
    func garble(
        _ observation: inout NodeObservation,
        of node: SimulatedNode,
        _ cluster: SimulatedCluster,
        _ claims: [ClusterMachine.Claim]
    ) {
        guard case .success(var state) = observation.state, state.isInRecovery else { return }
        for (lane, claim) in claims.map({ ($0.lane, $0.row) }) {
            guard let shown = state.ledger?[lane] else { continue }
            if self == .abandonedReplica {
                let highest = max(shown.position, node.highestShown[lane] ?? .none)
                node.highestShown[lane] = highest
                state.ledger?[lane] = LedgerRow(epoch: claim.epoch, position: highest)
            }
            if self == .comparedLSNs {
                let position = cluster.survivor.position(of: lane, at: node.lsn)
                state.ledger?[lane] = LedgerRow(epoch: claim.epoch, position: position)
            }
        }
        observation.state = .success(state)
    }
}
