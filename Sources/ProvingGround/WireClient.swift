import Glibc
package import PostgresWire

/// A client of the wire protocol that blocks, and that can be told to send anything. Owner: one thread.
package final class WireClient {
    package typealias Failure = LoopbackSocket.Failure

    private let socket: LoopbackSocket
    private var received: [UInt8] = []
    package private(set) var key: CancelKey?
    package private(set) var parameters: [String: String] = [:]
    /// What the server chose in place of the version that was asked for.
    package private(set) var negotiated: BackendMessage?

    package init(port: Int) throws {
        socket = try LoopbackSocket(port: port, patience: 20)
    }

    /// A send that makes no headway for so long fails.
    package func limitSending(to seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket.descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    package func send(_ bytes: [UInt8]) throws {
        try socket.send(bytes)
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
        let piece = try socket.receive()
        received += piece
        return !piece.isEmpty
    }

    /// Gives the other end time to answer; what it has sent by then is kept.
    package func wait(milliseconds: Int32) throws {
        var poll = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
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
