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
    private let loop: ReadLoop
    private var context: ChannelHandlerContext?
    private var phase = Phase.greeting
    private var held = ByteBuffer()
    private let outgoing = DirectWriter()
    private var withholdsRead = false
    var exchange = Exchange()
    private(set) var parameters: ParameterSet
    private(set) var settings: SessionSettings
    private(set) var cancelKey: CancelKey?
    /// A cancel request was sent: it may still hit whatever runs next.
    var isSuspect = false
    /// What the server said before it went.
    private(set) var lastReport: Report?
    private var prepared: [Int: Int] = [:]
    private var preparations = 0
    private var answer: OwnAnswer?
    private let connected: (Result<BackendConnection, Report>) -> Void
    private var isConnected = false

    /// An answer to a query of our own.
    private struct OwnAnswer {
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

    /// Gives the client the answers that are ours, as far as it is their turn. The walk gives those behind an answer of the server.
    func answerOwn(to client: ClientConnection) {
        while let expected = exchange.takeOwn() { give(expected, to: client) }
    }

    private func give(_ expected: Exchange.Expected, to client: ClientConnection?) {
        if let reply = expected.reply {
            client?.receive(ByteBuffer(bytes: reply))
        } else {
            client?.receive(expected.kind == .knownParse ? Self.parseComplete : Self.closeComplete)
        }
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

    /// Passes on what is the client's, and takes out what is ours.
    private func walk(_ buffer: ByteBuffer, _ client: ClientConnection?) {
        var offset = 0
        var sent = 0
        func forward(upTo end: Int) {
            defer { sent = max(sent, end) }
            guard end > sent, let client,
                let slice = buffer.getSlice(at: buffer.readerIndex + sent, length: end - sent)
            else { return }
            client.receive(slice)
        }
        while true {
            let event: Exchange.Event
            do {
                event = try buffer.withUnsafeReadableBytes { try exchange.advance($0, &offset) }
            } catch {
                forward(upTo: offset)
                loop.instruments.backendFaults.add()
                loop.log.error(
                    "a node does not keep to the protocol; the connection is closed",
                    metadata: ["node": "\(loop.configuration.upstream.nodes[node])", "reason": "\(error)"]
                )
                return lose(Report(.fatal, "08P01", "the node does not keep to the protocol: \(error)"))
            }
            switch event {
            case .more:
                forward(upTo: offset)
                if offset < buffer.readableBytes {
                    held = buffer.getSlice(at: buffer.readerIndex + offset, length: buffer.readableBytes - offset)!
                }
                return finishTurn(client)
            case .insert(let expected):
                forward(upTo: offset)
                give(expected, to: client)
            case .drop:
                // Both messages that are dropped have no body.
                forward(upTo: offset - MessageHeader.bytes)
                sent = offset
            case .own(let tag, let range):
                // Messages that were walked over before this one were the client's.
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                sent = offset
                take(own: tag, buffer, range)
            case .parameter(let range):
                if answer != nil {
                    // The client is told afterwards, of what has changed for it.
                    forward(upTo: range.lowerBound - MessageHeader.bytes)
                    sent = offset
                }
                note(parameter: range, of: buffer)
            case .notice(let range):
                // A server that comes down says so by a notice before it hangs up. It is no part of an answer.
                guard client?.runsAgain(after: report(range, BackendTag.notice, of: buffer)) == true else { break }
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                sent = offset
            case .error(let range):
                let report = report(range, BackendTag.error, of: buffer)
                if report.isFatal { lastReport = report }
                for skipped in exchange.skipped { undo(skipped, client) }
                guard let client else {
                    return lose(report)
                }
                if client.runsAgain(after: report) {
                    if report.isFatal { return lose(report) }
                    sent = offset
                } else if let first = exchange.skipped.first, first.kind == .refused, let reply = first.reply {
                    forward(upTo: range.lowerBound - MessageHeader.bytes)
                    sent = offset
                    client.receive(ByteBuffer(bytes: reply))
                } else {
                    client.sawFatal = client.sawFatal || report.isFatal
                }
            case .ready(.ownQuery):
                return finishOwn(buffer, offset)
            case .ready: break
            case .copyIn(let range):
                forward(upTo: range.lowerBound - MessageHeader.bytes)
                loop.instruments.backendFaults.add()
                return lose(Report(.fatal, "0A000", "COPY FROM STDIN is not served by the read port"))
            }
        }
    }

    /// A query of our own is answered. What that leads to may be anything, the end of the lease too; so what came behind the answer is put where that is seen.
    private func finishOwn(_ buffer: ByteBuffer, _ offset: Int) {
        held = buffer.getSlice(at: buffer.readerIndex + offset, length: buffer.readableBytes - offset) ?? ByteBuffer()
        guard let finished = answer else { preconditionFailure("an answer to a query that nobody asked") }
        answer = nil
        finished.finish(finished.report.map { .failure($0) } ?? .success(finished.rows))
        guard held.readableBytes > 0 else { return }
        let rest = held
        held = ByteBuffer()
        walk(rest, client)
    }

    /// Everything that came was walked.
    private func finishTurn(_ client: ClientConnection?) {
        guard let client, exchange.isEmpty, held.readableBytes == 0, answer == nil else { return }
        client.settled()
    }

    private static let parseComplete = ByteBuffer(bytes: BackendMessage.parseComplete.bytes)
    private static let closeComplete = ByteBuffer(bytes: BackendMessage.closeComplete.bytes)

    private func take(own tag: UInt8, _ buffer: ByteBuffer, _ range: Range<Int>) {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(tag: tag, body: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        switch message {
        case .dataRow(let values):
            answer?.rows.append(values.map { $0.map { String(decoding: $0, as: UTF8.self) } })
        case .error(let report):
            answer?.report = report
            if report.isFatal { lastReport = report }
        default: break
        }
    }

    /// A Parse that did not come about.
    private func undo(_ expected: Exchange.Expected, _ client: ClientConnection?) {
        switch expected.kind {
        case .parse, .ownParse: if let statement = expected.statement { forget(statement) }
        // The server still has what was to make room.
        case .ownClose: isSuspect = true
        case .query, .ownQuery, .knownParse, .bind, .describe, .execute, .closeStatement, .given, .refused,
            .closePortal, .sync:
            break
        }
        client?.didNotHappen(expected)
    }

    private func note(parameter range: Range<Int>, of buffer: ByteBuffer) {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(
                tag: BackendTag.parameterStatus,
                body: UnsafeRawBufferPointer(rebasing: bytes[range])
            )
        }
        guard case .parameterStatus(let name, let value) = message else { return }
        var values = parameters.values
        values[name] = value
        parameters = loop.intern(values)
        if answer == nil { client?.told = parameters }
    }

    private func report(_ range: Range<Int>, _ tag: UInt8, of buffer: ByteBuffer) -> Report {
        let message = buffer.withUnsafeReadableBytes { bytes in
            try? BackendMessage(tag: tag, body: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        switch message {
        case .error(let report), .notice(let report): return report
        default: return Report(.fatal, "08P01", "the node sent a report that can't be read")
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
    private func lose(_ report: Report) {
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
