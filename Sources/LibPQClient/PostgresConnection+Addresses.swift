import CLibPQ
import Delivery
import Glibc
package import Topology

extension PostgresConnection {
    /// Connects to the first of the node's addresses that takes the connection and that `accepts` lets pass.
    ///
    /// A name is looked up anew each time, so that one that moves is followed. Each address gets an equal share of the time that is left: one that drops
    /// packets does not use up the time of the others.
    package static func open(
        to node: NodeAddress,
        settings: ConnectionSettings,
        deadline: Deadline,
        interrupt: Interrupt? = nil,
        accepts: (PostgresConnection, Deadline) throws(ConnectionFault) -> Bool = { _, _ in true }
    ) throws(ConnectionFault) -> PostgresConnection {
        let addresses = addresses(of: node)
        guard addresses.count > 1 else {
            let connection = try PostgresConnection(
                to: node,
                settings: settings,
                deadline: deadline,
                interrupt: interrupt
            )
            guard try accepts(connection, deadline) else { throw .unreachable("\(node) is in recovery") }
            return connection
        }
        var faults: [String] = []
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
                faults.append("\(address) is in recovery")
            } catch {
                if error == .interrupted { throw error }
                faults.append("\(address): \(error)")
            }
        }
        throw .unreachable(faults.joined(separator: "; "))
    }

    /// The node's IP addresses; empty for a socket's directory and for a name that is not known now: libpq then says why.
    private static func addresses(of node: NodeAddress) -> [String] {
        if node.host.hasPrefix("/") { return [] }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(node.host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: 256)
            let info = entry.pointee
            if getnameinfo(info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if !addresses.contains(address) { addresses.append(address) }
            }
            next = info.ai_next
        }
        return addresses
    }
}
