import Delivery
import Records
import Topology

/// A lane's connection to the node that is chosen, as `LedgerDestination` keeps it.
final class ClusterSession: Destination {
    private let cluster: SimulatedCluster
    private let choice: () -> PrimaryChoice
    private let lookAgain: () -> Void
    private let open: (SimulatedNode) -> SimulatedSession
    /// The choice that the connection was made by.
    private(set) var chosen: PrimaryChoice?
    private var current: (node: SimulatedNode, session: SimulatedSession)?

    /// - Parameters:
    ///   - choice: which node is written to.
    ///   - lookAgain: something speaks against the choice.
    ///   - open: a connection to a node that lets it in.
    init(
        _ cluster: SimulatedCluster,
        choice: @escaping () -> PrimaryChoice,
        lookAgain: @escaping () -> Void,
        open: @escaping (SimulatedNode) -> SimulatedSession
    ) {
        self.cluster = cluster
        self.choice = choice
        self.lookAgain = lookAgain
        self.open = open
    }

    func disconnect() {
        current?.session.disconnect()
        current = nil
    }

    /// Ends the waits of the present connection, unless it leads to the right node.
    func breakOff(unlessTo node: NodeAddress?) {
        if let current, current.node.address != node { current.session.breakOff() }
    }

    func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow {
        let session = try connected()
        return try looking { () throws(DeliveryFault) in try session.claim(lane) }
    }

    func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? {
        let session = try connected()
        return try looking { () throws(DeliveryFault) in try session.ledger(of: lane) }
    }

    func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        try self.flush(flush, whileWaiting: {})
    }

    func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt {
        guard let session = current?.session else { throw Self.unconnected("the lane has not been claimed") }
        return try looking { () throws(DeliveryFault) in try session.flush(flush, whileWaiting: whileWaiting) }
    }

    /// After any fault the nodes are looked at.
    private func looking<Value>(_ body: () throws(DeliveryFault) -> Value) throws(DeliveryFault) -> Value {
        do throws(DeliveryFault) {
            return try body()
        } catch {
            lookAgain()
            throw error
        }
    }

    private func connected() throws(DeliveryFault) -> SimulatedSession {
        let choice = choice()
        if let current, current.node.address == choice.node, current.session.isConnected { return current.session }
        disconnect()
        guard let address = choice.node, let node = cluster.node(at: address) else {
            throw Self.unconnected("\(choice)")
        }
        guard node.answers, node.isWriter,
            choice.admits(systemIdentifier: node.systemIdentifier, timeline: node.timeline.number)
        else {
            lookAgain()
            throw Self.unconnected("\(address) does not let the lane in")
        }
        let session = open(node)
        current = (node, session)
        chosen = choice
        return session
    }

    private static func unconnected(_ reason: String) -> DeliveryFault {
        DeliveryFault(phase: .connecting, cause: .connection(reason))
    }
}
