/// Where a PostgreSQL server listens: a host name, an IP address or the directory of a unix socket, and a port.
package struct NodeAddress: Hashable, Sendable {
    package var host: String
    package var port: Int

    package init(host: String, port: Int = 5432) {
        self.host = host
        self.port = port
    }

    /// Parses `host`, `host:port`, `[v6]:port` or `/socket/directory:port`; the port is 5432 if left out. Nil for anything else.
    package init?(_ text: some StringProtocol) {
        var host = text[...]
        var port = 5432
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else { return nil }
            port = Int(number)
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "," }) else { return nil }
        self.init(host: String(host), port: port)
    }
}

extension NodeAddress: CustomStringConvertible {
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
