/// A host and a port, as in `127.0.0.1:4318`, `[::1]:4318` or `db1.example.net:5432`.
package struct NetworkAddress: Hashable, Sendable {
    /// A name or an address; IPv6 without its brackets. The directory of a Unix socket begins with `/`.
    package var host: String
    /// 0 to listen on any free port.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Whether only this machine can reach the address: `127.0.0.0/8` (RFC 1122, section 3.2.1.3), `::1` or `localhost`.
    ///
    /// A name that merely begins like an address is not loopback.
    package var isLoopback: Bool {
        if host == "::1" || host == "localhost" || host.hasPrefix("/") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension NetworkAddress: CustomStringConvertible {
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension NetworkAddress: Configurable {
    init(configured text: String) throws(ConfigurationMismatch) {
        let expected = "a host and a port, as in 127.0.0.1:4318 or [::1]:4318"
        let host: Substring
        let port: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"), text[end...].hasPrefix("]:") else {
                throw ConfigurationMismatch(expected: expected)
            }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(end, offsetBy: 2)...]
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                throw ConfigurationMismatch(expected: expected)
            }
        } else {
            guard let colon = text.lastIndex(of: ":") else {
                throw ConfigurationMismatch(expected: expected, remedy: "Add the port.")
            }
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !host.contains(":") else {
                throw ConfigurationMismatch(expected: expected, remedy: "Put an IPv6 address into brackets.")
            }
            guard !host.isEmpty, host != "*" else {
                throw ConfigurationMismatch(expected: expected, remedy: "Write 0.0.0.0:\(port) for every IPv4 address.")
            }
            guard host.allSatisfy({ !$0.isWhitespace && $0 != "@" && $0 != "," }) else {
                throw ConfigurationMismatch(expected: expected)
            }
        }
        guard port.allSatisfy({ $0.isASCII && $0.isNumber }), let number = UInt16(port) else {
            throw ConfigurationMismatch(expected: "a port from 0 to 65535 after the host")
        }
        self.init(host: String(host), port: Int(number))
    }
}
