import Records
import Topology

/// Three nodes, and what their HA engine and their administrators do with them. The fault model is in <doc:Simulation>.
final class SimulatedCluster {
    let nodes: [SimulatedNode]
    /// The node that was promoted, restored or made anew last: what it holds is what counts in the end.
    private(set) var survivor: SimulatedNode
    private let clock: SimulatedClock
    private var lastIdentifier: UInt64 = 7_000
    private var highestTimeline = 1

    init(_ clock: SimulatedClock) {
        self.clock = clock
        let root = Timeline(number: 1)
        let first = SimulatedNode(0, lastIdentifier, root, source: nil, clock)
        survivor = first
        nodes = [first] + (1...2).map { SimulatedNode($0, first.systemIdentifier, root, source: first, clock) }
    }

    var systemIdentifier: UInt64 { survivor.systemIdentifier }

    /// The choice that leads to the survivor.
    var choice: PrimaryChoice {
        .primary(survivor.address, systemIdentifier: systemIdentifier, timeline: survivor.timeline.number)
    }

    func node(at address: NodeAddress) -> SimulatedNode? { nodes.first { $0.address == address } }

    /// Nodes of this cluster besides the survivor.
    var others: [SimulatedNode] { nodes.filter { $0 !== survivor } }

    /// The replica takes over, from where it is.
    func promote(_ node: SimulatedNode) {
        node.promote()
        highestTimeline = max(highestTimeline, node.timeline.number)
        survivor = node
    }

    /// The node goes back to an earlier place of the survivor's path, and counts from here on.
    func restore(_ node: SimulatedNode, to place: Int) {
        highestTimeline += 1
        let path = survivor.timeline
        if survivor !== node { survivor.die() }
        node.restore(to: place, of: path, number: highestTimeline)
        survivor = node
    }

    /// How many records the loading of the dump took that the cluster began with.
    private(set) var loaded = 0

    /// All nodes go to another cluster, which begins with what the survivor held at `place`.
    func makeAnew(from place: Int) {
        lastIdentifier += 1
        highestTimeline = 1
        var dump = SimulatedPostgres.State()
        for index in 0..<place { dump.apply(survivor.timeline.record(after: index)) }
        survivor.makeAnew(lastIdentifier, from: dump.records)
        loaded = survivor.place
        for node in others {
            node.rewind(to: survivor)
            node.comeBack()
        }
    }

    /// All nodes are well, and those that are not the survivor replicate it.
    func heal() {
        for node in nodes {
            node.comeBack()
            node.isMistaken = false
            node.isSlow = false
            node.receives = true
        }
        for node in others {
            if node.isInRecovery, node.canFollow(survivor) { node.source = survivor } else { node.rewind(to: survivor) }
        }
    }
}
