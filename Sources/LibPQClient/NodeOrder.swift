/// Which node a writer tries first: the one that took its last claim, then the others in the configured order.
///
/// This is the one place where a node is chosen for writing.
struct NodeOrder: Hashable, Sendable {
    private let nodes: [NodeAddress]
    private var preferred: Int?

    init(_ nodes: [NodeAddress]) {
        self.nodes = nodes
    }

    /// All nodes, in the order in which to try them.
    var candidates: [NodeAddress] {
        guard let preferred else { return nodes }
        return [nodes[preferred]] + nodes.indices.filter { $0 != preferred }.map { nodes[$0] }
    }

    /// The node accepted a claim.
    mutating func remember(_ node: NodeAddress) {
        preferred = nodes.firstIndex(of: node)
    }

    /// The node was found to be away or read-only.
    mutating func forget() {
        preferred = nil
    }
}
