import ReadProxy
import Records
import Synchronization
import Topology

/// Turns what the watch sees into what the read port routes by. Any thread may call it.
final class ReadRoutes: Sendable {
    private struct State {
        var roster: ReadRoster
        /// How often each node has answered.
        var answers: [NodeAddress: Int] = [:]
        var latest: [ReadRoster.Standing] = []
    }

    private let claims: @Sendable () -> [LaneKey: Int64]
    private let publish: @Sendable (RouteTable) -> Void
    private let state: Mutex<State>

    /// - Parameter claims: the epoch of every lane that was claimed.
    init(
        bounds: ReadRoster.Bounds,
        claims: @escaping @Sendable () -> [LaneKey: Int64],
        publish: @escaping @Sendable (RouteTable) -> Void
    ) {
        self.claims = claims
        self.publish = publish
        state = Mutex(State(roster: ReadRoster(bounds: bounds)))
    }

    /// Looks are to come one after the other, in their order.
    func take(_ look: ClusterWatch.Look) {
        let claims = claims()
        let table = state.withLock { state in
            if let node = look.answered { state.answers[node, default: 0] += 1 }
            state.latest = state.roster.look(
                look.nodes,
                choice: look.choice,
                memory: look.memory,
                claims: claims,
                at: look.at
            )
            return RouteTable(
                nodes: zip(look.nodes, state.latest).map { node, standing in
                    RouteTable.Node(
                        standing: standing,
                        answers: state.answers[node.node] ?? 0,
                        shown: (node.state?.ledger ?? [:]).mapValues(\.position),
                        state: node.state
                    )
                }
            )
        }
        publish(table)
    }

    /// In the order of the configuration; empty before the first look.
    var standings: [ReadRoster.Standing] { state.withLock(\.latest) }
}
