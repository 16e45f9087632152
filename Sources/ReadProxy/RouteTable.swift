package import Records
package import Topology

/// What each node counts as for readers, in the order of the configuration; made by whoever observes the nodes.
package struct RouteTable: Hashable, Sendable {
    package struct Node: Hashable, Sendable {
        package var standing: ReadRoster.Standing
        /// Counts the times the node has answered. A node that refused a connection is used again only when it has answered since.
        package var answers: Int
        /// The last offset of each lane that the node shows, of the lanes that it was asked for.
        package var shown: [LaneKey: Offset]
        /// What the node last said, for those who ask; nil if it said nothing, or not lately.
        package var state: NodeState?

        package init(
            standing: ReadRoster.Standing,
            answers: Int,
            shown: [LaneKey: Offset] = [:],
            state: NodeState? = nil
        ) {
            self.standing = standing
            self.answers = answers
            self.shown = shown
            self.state = state
        }

        /// Whoever holds a position of a lane holds all before it, on whatever timeline it stands: the ledger moves in the transaction of the rows.
        func shows(_ positions: [Position]) -> Bool {
            positions.allSatisfy { position in
                (shown[LaneKey(queue: position.queue, lane: position.lane)] ?? .none) >= position.offset
            }
        }
    }

    package var nodes: [Node]

    package init(nodes: [Node]) {
        self.nodes = nodes
    }
}
