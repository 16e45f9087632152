/// The links of a cluster whose plan says `hasLinks`.
extension LocalCluster {
    /// Has this process continue in a network namespace of its own, which clusters with links need. To be called before anything else is
    /// done, since the process starts anew. Throws where that is not possible.
    package static func prepareForLinks() throws(LocalPostgresFault) {
        try NodeNetwork.moveProcess()
    }

    /// Lets nothing through between a node and another one, or, with nil, between it and this process and its children.
    package func cutLink(_ node: LocalNode, _ other: LocalNode?) throws(LocalPostgresFault) {
        guard let network, let first = number(of: node) else { throw LocalPostgresFault("the cluster has no links") }
        try network.cut(first, other.flatMap { number(of: $0) })
    }

    /// Makes all links whole.
    package func healLinks() throws(LocalPostgresFault) {
        try network?.heal()
    }

    private func number(of node: LocalNode) -> Int? { nodes.firstIndex { $0 === node } }
}
