import DirectSockets
import Instruments
import Logging
import NIOCore
import NIOSSL
import PostgresWire
import Topology

/// A connection to a node, as the reader. The last handler of its channel.
///
/// ```
/// greeting ──▶ login ──▶ idle ⇄ leased
///     └───────────┴───────┴────────┴──▶ closed
/// ```
///
/// Owner: the event loop of the channel.
final class BackendConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// TLS was asked for; a single byte answers.
        case greeting
        case login(BackendLogin)
        case idle
        /// To `idle` only when nothing is owed and no transaction is open.
        case leased(ClientConnection)
        case closed
    }

    let node: Int
    let loop: ReadLoop
    private var context: ChannelHandlerContext?
    private var phase = Phase.greeting
    var held = ByteBuffer()
    private let outgoing = DirectWriter()
    private var withholdsRead = false
    var exchange = Exchange()
    var parameters: ParameterSet
    private(set) var settings: SessionSettings
    private(set) var cancelKey: CancelKey?
    /// Not to be used again when the lease ends: a cancel request may still hit whatever runs next, or something of the session is not as the book says.
    var isSuspect = false
    /// What the server said before it went.
    var lastReport: Report?
    private var prepared: [Int: Int] = [:]
    private var preparations = 0
    var answer: OwnAnswer?
    private let connected: (Result<BackendConnection, Report>) -> Void
    private var isConnected = false

    /// An answer to a query of our own.
    struct OwnAnswer {
        var rows: [[String?]] = []
        var report: Report?
        var finish: (Result<[[String?]], Report>) -> Void
    }

    init(node: Int, loop: ReadLoop, connected: @escaping (Result<BackendConnection, Report>) -> Void) {
        self.node = node
        self.loop = loop
        self.connected = connected
        parameters = loop.emptyParameters
        settings = loop.plainSettings
    }

    // MARK: Coming up

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        outgoing.attach(context)
        let upstream = loop.configuration.upstream
        // As with libpq, a Unix socket is its own protection.
        if upstream.tls.asks, !upstream.nodes[node].host.hasPrefix("/") {
            send(.requestTLS)
        } else {
            beginLogin()
        }
    }

    private func send(_ packet: StartupPacket) {
        var writer = WireWriter()
        packet.encode(into: &writer)
        write(ByteBuffer(bytes: writer.bytes))
        flush()
    }

    private func beginLogin() {
        let upstream = loop.configuration.upstream
        phase = .login(BackendLogin(password: loop.password, nonce: loop.randomBytes(18), keys: loop.keys))
        send(
            .startup(
                StartupMessage(
                    parameters: [.init("user", upstream.user), .init("database", upstream.database)]
                        + upstream.settings
                )
            )
        )
    }

    private func greet(_ buffer: inout ByteBuffer) {
        guard let byte = buffer.readInteger(as: UInt8.self), buffer.readableBytes == 0, let context else {
            return fail(Report(.fatal, "08P01", "the server answers more than the question for TLS asked for"))
        }
        let upstream = loop.configuration.upstream
        switch byte {
        case UInt8(ascii: "S"):
            do {
                guard let tls = loop.upstreamTLS else {
                    preconditionFailure("TLS was asked for without a context for it")
                }
                let host = loop.configuration.upstream.nodes[node].host
                outgoing.takeThePipeline()
                let handler = try NIOSSLClientHandler(context: tls, serverHostname: host.isServerName ? host : nil)
                try context.pipeline.syncOperations.addHandler(handler, position: .first)
            } catch {
                return fail(Report(.fatal, "08006", "TLS towards the node: \(error)"))
            }
            beginLogin()
        case UInt8(ascii: "N") where !upstream.tls.insists: beginLogin()
        case UInt8(ascii: "N"):
            fail(Report(.fatal, "08006", "the node has no TLS, and postgres.sslmode is \(upstream.tls.rawValue)"))
        default: fail(Report(.fatal, "08P01", "the node does not speak PostgreSQL's protocol"))
        }
    }

    private func login(_ machine: BackendLogin, _ buffer: inout ByteBuffer) {
        var machine = machine
        do {
            while let message = try nextMessage(&buffer, limit: WireLimits.loginBytes) {
                switch try machine.handle(message) {
                case .none: break
                case .answer(let body):
                    var writer = WireWriter()
                    FrontendMessage.password(body).encode(into: &writer)
                    write(ByteBuffer(bytes: writer.bytes))
                    flush()
                case .ready:
                    guard buffer.readableBytes == 0 else {
                        return fail(Report(.fatal, "08P01", "the server goes on after it was ready"))
                    }
                    loop.keys = machine.keys
                    parameters = loop.intern(machine.parameters)
                    cancelKey = machine.cancelKey
                    held = ByteBuffer()
                    phase = .idle
                    isConnected = true
                    return connected(.success(self))
                }
            }
            held = buffer
            phase = .login(machine)
        } catch let report as Report {
            fail(report)
        } catch {
            fail(Report(.fatal, "08P01", "\(error)"))
        }
    }

    private func nextMessage(_ buffer: inout ByteBuffer, limit: Int) throws -> BackendMessage? {
        guard let header = try buffer.withUnsafeReadableBytes({ try MessageHeader.read($0, at: 0, limit: limit) }),
            var message = buffer.readSlice(length: header.messageBytes)
        else { return nil }
        message.moveReaderIndex(forwardBy: MessageHeader.bytes)
        return try message.withUnsafeReadableBytes { try BackendMessage(tag: header.tag, body: $0) }
    }

    // MARK: Leases

    /// The client that has this backend.
    var client: ClientConnection? {
        if case .leased(let client) = phase { client } else { nil }
    }

    var isIdle: Bool {
        if case .idle = phase { true } else { false }
    }

    func lease(to client: ClientConnection) {
        guard case .idle = phase, exchange.isSettled else {
            preconditionFailure("a backend that is not idle was given away")
        }
        phase = .leased(client)
    }

    /// Back to idle. Returns false, and closes, if there is any doubt about what the backend would do next.
    func endLease() -> Bool {
        guard case .leased = phase else { return false }
        guard exchange.isSettled, held.readableBytes == 0, !isSuspect, answer == nil else {
            close()
            return false
        }
        phase = .idle
        // The last answer may still be on its way to a slow client; the next one's is not to wait for that.
        resumeReading()
        return true
    }

    // MARK: Towards the server

    func write(_ buffer: ByteBuffer) {
        guard let context else { return }
        outgoing.write(buffer, to: context)
    }

    func flush() {
        guard let context else { return }
        outgoing.flush(context)
    }

    /// Runs a query of our own, none of which the client sees.
    func ask(_ text: String, finish: @escaping (Result<[[String?]], Report>) -> Void) {
        guard answer == nil else { preconditionFailure("two queries of our own at once on one backend") }
        answer = OwnAnswer(finish: finish)
        exchange.expect(.ownQuery)
        var writer = WireWriter()
        FrontendMessage.query(Array(text.utf8)).encode(into: &writer)
        write(ByteBuffer(bytes: writer.bytes))
        flush()
    }

    /// Takes the client's settings, then calls back; at once if they are there already.
    func take(_ wanted: SessionSettings, finish: @escaping (Report?) -> Void) {
        guard wanted !== settings else { return finish(nil) }
        ask(wanted.statements(from: settings)) { [self] result in
            switch result {
            case .success:
                settings = wanted
                wanted.parameters = parameters
                finish(nil)
            case .failure(let report): finish(report)
            }
        }
    }

    /// The settings are known to be these: they were asked for.
    func settled(on settings: SessionSettings) {
        self.settings = settings
        settings.parameters = parameters
    }

    // MARK: Prepared statements

    func knows(_ statement: PreparedStatement) -> Bool { prepared[statement.number] != nil }

    /// One statement goes if there are as many as there may be. To be called before anything is expected of the next.
    func makeRoom() {
        guard prepared.count >= loop.configuration.preparedStatements,
            let oldest = prepared.min(by: { $0.value < $1.value })?.key
        else { return }
        prepared[oldest] = nil
        var writer = WireWriter()
        FrontendMessage.close(.statement, name: "\(PreparedStatement.prefix)\(oldest)").encode(into: &writer)
        exchange.expect(.ownClose)
        write(ByteBuffer(bytes: writer.bytes))
    }

    func prepare(_ statement: PreparedStatement) {
        preparations += 1
        prepared[statement.number] = preparations
        write(statement.parse)
    }

    /// Prepares a statement that nobody is going to use, and returns its name.
    func prepareForNothing() -> String {
        preparations += 1
        let name = "\(PreparedStatement.prefix)nothing:\(preparations)"
        var writer = WireWriter()
        FrontendMessage.parse(.init(name: name, query: Array("SELECT".utf8))).encode(into: &writer)
        exchange.expect(.ownParse)
        write(ByteBuffer(bytes: writer.bytes))
        return name
    }

    func forget(_ statement: PreparedStatement) {
        prepared[statement.number] = nil
    }

    // MARK: From the server

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if held.readableBytes > 0 {
            held.writeBuffer(&buffer)
            buffer = held
            held = ByteBuffer()
        }
        switch phase {
        case .greeting: greet(&buffer)
        case .login(let machine): login(machine, &buffer)
        case .leased(let client):
            walk(buffer, client)
            client.flush()
            flush()
        case .idle: walk(buffer, nil)
        case .closed: break
        }
    }

    // MARK: Going down

    func channelInactive(context: ChannelHandlerContext) {
        lose(lastReport ?? Report(.fatal, "08006", "the connection to the node was lost"))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        outgoing.detach()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        lose(Report(.fatal, "08006", "the connection to the node broke: \(error)"))
    }

    func couldNotConnect(_ reason: String) {
        lose(Report(.fatal, "08006", reason))
    }

    func loginIsLate() {
        switch phase {
        case .greeting, .login: lose(Report(.fatal, "08006", "the node did not let us in in time"))
        case .idle, .leased, .closed: break
        }
    }

    private func fail(_ report: Report) {
        lose(report)
    }

    /// The connection is over. Whoever has it hears why.
    func lose(_ report: Report) {
        let last = phase
        close()
        switch last {
        case .greeting, .login: if !isConnected { connected(.failure(report)) }
        case .idle: loop.lost(self)
        case .leased(let client):
            loop.lost(self)
            client.lost(self, report)
        case .closed: break
        }
    }

    /// Closes without a word to anybody.
    func close() {
        if case .closed = phase { return }
        phase = .closed
        answer = nil
        held = ByteBuffer()
        context?.close(promise: nil)
    }

    // MARK: Back-pressure

    func read(context: ChannelHandlerContext) {
        // What the client does not read is not read from the server.
        if case .leased(let client) = phase, !client.isWritable {
            client.wakesBackend = true
            withholdsRead = true
            return
        }
        context.read()
    }

    func resumeReading() {
        guard withholdsRead else { return }
        withholdsRead = false
        context?.read()
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { client?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }
}

extension String {
    /// Whether this is a name, which TLS can be told, and not an address.
    fileprivate var isServerName: Bool {
        (try? SocketAddress(ipAddress: self, port: 0)) == nil && !hasPrefix("/")
    }
}
