import Glibc
package import PostgresWire

/// A client of the wire protocol that blocks, and that can be told to send anything. Owner: one thread.
package final class WireClient {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    private let descriptor: Int32
    private var received: [UInt8] = []
    package private(set) var key: CancelKey?
    package private(set) var parameters: [String: String] = [:]
    /// What the server chose in place of the version that was asked for.
    package private(set) var negotiated: BackendMessage?

    package init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else {
            Glibc.close(descriptor)
            throw Failure(description: "connect: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// A send that makes no headway for so long fails.
    package func limitSending(to seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    package func send(_ bytes: [UInt8]) throws {
        var left = bytes[...]
        while !left.isEmpty {
            let sent = left.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
            left = left.dropFirst(sent)
        }
    }

    package func send(_ packet: StartupPacket) throws {
        var writer = WireWriter()
        packet.encode(into: &writer)
        try send(writer.bytes)
    }

    package func send(_ messages: FrontendMessage...) throws {
        var writer = WireWriter()
        for message in messages { message.encode(into: &writer) }
        try send(writer.bytes)
    }

    /// Nil at the end of the connection.
    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count >= 0 else { throw Failure(description: "recv: \(String(cString: strerror(errno)))") }
        received += piece[..<count]
        return count > 0
    }

    /// Gives the other end time to answer; what it has sent by then is kept.
    package func wait(milliseconds: Int32) throws {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if Glibc.poll(&poll, 1, milliseconds) > 0 { _ = try fill() }
    }

    /// A byte that is no message: the answer to a question for encryption.
    package func byte() throws -> UInt8? {
        while received.isEmpty {
            guard try fill() else { return nil }
        }
        return received.removeFirst()
    }

    /// Nil at the end of the connection.
    package func next() throws -> BackendMessage? {
        while true {
            let header = try received.withUnsafeBytes { try MessageHeader.read($0, at: 0) }
            if let header, received.count >= header.messageBytes {
                defer { received.removeFirst(header.messageBytes) }
                return try received.withUnsafeBytes { bytes in
                    let body = bytes[MessageHeader.bytes..<header.messageBytes]
                    return try BackendMessage(tag: header.tag, body: UnsafeRawBufferPointer(rebasing: body))
                }
            }
            guard try fill() else { return nil }
        }
    }

    /// Everything up to ReadyForQuery, that included. Throws the report of one that ends the connection.
    package func untilReady() throws -> [BackendMessage] {
        var messages: [BackendMessage] = []
        while let message = try next() {
            messages.append(message)
            switch message {
            case .readyForQuery: return messages
            case .parameterStatus(let name, let value): parameters[name] = value
            case .error(let report) where report.isFatal: throw report
            default: break
            }
        }
        throw Failure(description: "the connection ended behind \(messages)")
    }

    package func login(
        user: String,
        password: String,
        database: String = "apm",
        version: ProtocolVersion = .oldest,
        _ more: [StartupMessage.Parameter] = []
    ) throws {
        try send(
            .startup(
                StartupMessage(version: version, parameters: [.init("user", user), .init("database", database)] + more)
            )
        )
        var scram = ScramClient(password: password, nonce: (0..<18).map { _ in UInt8.random(in: 0...255) })
        while let message = try next() {
            switch message {
            case .authentication(.sasl): try send(.password(scram.initialResponse))
            case .authentication(.saslContinue(let bytes)): try send(.password(try scram.prove(bytes)))
            case .authentication(.saslFinal(let bytes)): _ = try scram.verify(bytes)
            case .negotiateProtocolVersion: negotiated = message
            case .parameterStatus(let name, let value): parameters[name] = value
            case .backendKeyData(let key): self.key = key
            case .error(let report): throw report
            case .readyForQuery: return
            default: break
            }
        }
        throw Failure(description: "the connection ended in the login")
    }

    /// The rows of a simple query, as texts. Throws the server's report.
    package func query(_ text: String) throws -> [[String?]] {
        try send(.query(Array(text.utf8)))
        return try Self.rows(of: try untilReady())
    }

    package static func rows(of messages: [BackendMessage]) throws -> [[String?]] {
        var rows: [[String?]] = []
        for message in messages {
            if case .dataRow(let values) = message {
                rows.append(values.map { $0.map { String(decoding: $0, as: UTF8.self) } })
            }
            if case .error(let report) = message { throw report }
        }
        return rows
    }
}
