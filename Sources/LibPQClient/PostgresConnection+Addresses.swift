import Delivery
package import Topology

extension PostgresConnection {
    /// What becomes of a connection to an address that answers, and that is not the one looked for.
    package enum SecondBest {
        case keep
        case refuse
    }

    /// Connects to the first of the node's addresses that takes the connection and that `accepts` lets pass.
    ///
    /// A name is looked up anew each time, so that one that moves is followed. Each address gets an equal share of the time that is left: one that drops
    /// packets does not use up the time of the others.
    ///
    /// - Parameters:
    ///   - address: an address that is not tried.
    ///   - secondBest: whether, if none is let pass, the first that took the connection will do.
    package static func open(
        to node: NodeAddress,
        besides address: String? = nil,
        settings: ConnectionSettings,
        deadline: Deadline,
        interrupt: Interrupt? = nil,
        lookup: NameLookup = .system,
        otherwise secondBest: SecondBest = .refuse,
        accepts: (PostgresConnection, Deadline) throws(ConnectionFault) -> Bool = { _, _ in true }
    ) throws(ConnectionFault) -> PostgresConnection {
        // Of a name that is not known libpq says why.
        let found: [String?] = NameLookup.isFixed(node.host) ? [] : lookup.addresses(node.host)
        let addresses = found.isEmpty ? [nil] : found.filter { address == nil || $0 != address }
        var faults: [(address: String?, fault: ConnectionFault)] = []
        var spare: PostgresConnection?
        for (index, address) in addresses.enumerated() {
            let share = Deadline.after(.milliseconds(Int(deadline.millisecondsLeft) / (addresses.count - index)))
            do {
                let connection = try PostgresConnection(
                    to: node,
                    at: address,
                    settings: settings,
                    deadline: share,
                    interrupt: interrupt
                )
                if try accepts(connection, share) { return connection }
                faults.append((address, .unreachable("\(address ?? "\(node)") is in recovery")))
                spare = spare ?? connection
            } catch {
                switch error {
                // The other addresses would fare no better.
                case .interrupted, .noPassword: throw error
                case .unreachable, .broken, .deadline, .server: faults.append((address, error))
                }
            }
        }
        if secondBest == .keep, let spare { return spare }
        guard faults.count > 1 else { throw faults.first?.fault ?? .unreachable("\(node) has no other address") }
        throw .unreachable(faults.map { "\($0.address ?? ""): \($0.fault)" }.joined(separator: "; "))
    }
}
