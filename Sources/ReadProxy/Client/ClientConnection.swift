import DirectSockets
import Instruments
import NIOCore
import NIOSSL
import PostgresWire
import Records
import Topology

/// A client of the read port. The last handler of its channel.
///
/// ```
/// greeting ──▶ login ──▶ welcoming ──▶ open
///     └──────────┴───────────┴──────────┴──▶ closed
/// ```
///
/// Owner: the event loop of the channel.
final class ClientConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Before the startup packet.
        case greeting
        case login(ScramServer, StartupMessage)
        /// Let in; told of its session as soon as a node has taken its settings.
        case welcoming
        case open
        case closed
    }

    /// What the messages that have come wait for.
    enum Pause {
        case none
        /// A backend, from the loop.
        case lease
        /// A query of our own on the backend.
        case backend
        /// What the backend still owes, before a statement of Forebay's own.
        case turn
        /// What other loops have to tell.
        case gathering
    }

    let loop: ReadLoop
    private(set) var context: ChannelHandlerContext?
    var phase = Phase.greeting
    var pause = Pause.none
    /// What has come and is not dealt with.
    var held = ByteBuffer()
    private let outgoing = DirectWriter()
    let begun: NIODeadline
    /// Of the last thing that happened.
    private(set) var active: NIODeadline
    var waitingSince: NIODeadline
    private var greetings = 0
    private(set) var isSecure = false

    // Of the login.
    var user = ""
    var version = ProtocolVersion.oldest
    var key: CancelKey?
    var settings: SessionSettings
    /// Those of the startup packet, to which RESET goes back.
    var startup: SessionSettings
    /// Positions that every read is to show.
    var floor: [Position] = []
    /// These, and what the user has written of late: as of the time that a node was asked for.
    var wanted: [Position] = []
    /// What the client was told of its session.
    var told: ParameterSet

    // Of the lease.
    var backend: BackendConnection?
    /// The backend is the client's to the end of the connection.
    var isPinned = false
    /// The settings have to be asked for before the backend is given back.
    var touchesSettings = false
    /// Statements are read in another way than by the settings, at least to the end of the transaction.
    var touchesReading = false
    /// A byte of the answer went out.
    var hasAnswered = false
    var sawFatal = false
    /// The backend went in the middle of a message: whatever followed it would be read as its rest.
    var isCutShort = false
    /// What the client has sent since the lease began, to be sent again elsewhere; nil if that is too much, or not allowed.
    var replay: ByteBuffer? = ByteBuffer()
    var attempts = 0
    var isRunningAgain = false
    /// A node that has just failed this client.
    var avoidedNode: Int?
    /// After an error of ours, until the client's Sync.
    var skipsToSync = false

    // Prepared statements.
    var statements: [String: PreparedStatement] = [:]
    /// Those of when the lease began, to begin with again elsewhere.
    var statementsBefore: [String: PreparedStatement] = [:]
    /// The client's unnamed statement: what it sent behind the name; empty if there is none.
    var unnamed = ByteBuffer()
    var unnamedTraits: StatementTraits = []
    /// Those of when the lease began, if they have been replaced since.
    var unnamedBefore = ByteBuffer()
    var unnamedTraitsBefore: StatementTraits = []
    var unnamedIsReplaced = false
    /// The backend's unnamed statement is this client's.
    var unnamedIsThere = false
    /// Of Forebay's own statements; nil as long as the client has used none.
    var own: OwnBook?

    // Back-pressure.
    var wakesBackend = false
    private var wantsRead = false

    /// More than this is not read while something is waited for.
    private static let heldBytes = 64 << 10

    /// Of somebody who was let in elsewhere, and does not log in.
    let guest: StartupMessage?

    init(loop: ReadLoop, guest: StartupMessage? = nil) {
        self.loop = loop
        self.guest = guest
        settings = loop.plainSettings
        startup = loop.plainSettings
        told = loop.emptyParameters
        begun = loop.eventLoop.now
        active = begun
        waitingSince = begun
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        outgoing.attach(context)
        loop.add(self)
        loop.instruments.clients.add(1)
        loop.instruments.clientsAccepted.add()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        outgoing.detach()
    }

    // MARK: What comes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if held.readableBytes > 0 {
            held.writeBuffer(&buffer)
        } else {
            held = buffer
        }
        goOn()
    }

    /// Deals with what is held, as far as it can be, and lets everything out that this leads to.
    func goOn() {
        process()
        flush()
        backend?.flush()
    }

    func process() {
        while case .none = pause {
            let isDone =
                switch phase {
                case .greeting: !greet()
                case .login(let machine, let startup): !login(machine, startup)
                case .welcoming, .closed: true
                case .open: !takeMessage()
                }
            if isDone { break }
        }
        if held.readableBytes == 0 { held = ByteBuffer() }
        if case .none = pause { resumeReading() }
    }

    /// Deals with one message; false if none is there, or it has to wait.
    private func takeMessage() -> Bool {
        let header: MessageHeader?
        do {
            header = try held.withUnsafeReadableBytes {
                try MessageHeader.read($0, at: 0, limit: loop.configuration.maxMessageBytes)
            }
        } catch {
            end(Report(.fatal, "08P01", "\(error)"))
            return false
        }
        guard let header, let message = held.getSlice(at: held.readerIndex, length: header.messageBytes) else {
            return false
        }
        active = loop.eventLoop.now
        guard handle(header.tag, message) else { return false }
        // Closing has emptied it.
        if held.readableBytes >= header.messageBytes { held.moveReaderIndex(forwardBy: header.messageBytes) }
        return true
    }

    // MARK: What goes out

    /// Bytes of the backend's answer.
    func receive(_ buffer: ByteBuffer) {
        if isRunningAgain { return }
        hasAnswered = true
        write(buffer)
    }

    func write(_ buffer: ByteBuffer) {
        guard let context else { return }
        outgoing.write(buffer, to: context)
    }

    func write(_ messages: BackendMessage...) {
        var writer = WireWriter()
        for message in messages { message.encode(into: &writer) }
        write(ByteBuffer(bytes: writer.bytes))
    }

    func flush() {
        guard let context else { return }
        outgoing.flush(context)
    }

    /// The last word to the client.
    func end(_ report: Report) {
        if case .closed = phase { return }
        var fatal = report
        for (index, field) in fatal.fields.enumerated()
        where field.code == UInt8(ascii: "S") || field.code == UInt8(ascii: "V") {
            fatal.fields[index].text = Report.Severity.fatal.rawValue
        }
        if !sawFatal, !isCutShort, backend?.exchange.isWithinMessage != true { write(.error(fatal)) }
        flush()
        close()
    }

    /// The message at hand can't be carried out. The session goes on.
    func fail(_ report: Report) {
        switch phase {
        case .open: break
        case .greeting, .login, .welcoming: return end(report)
        case .closed: return
        }
        guard let tag = held.getInteger(at: held.readerIndex, as: UInt8.self) else { return }
        write(.error(report))
        if tag == FrontendTag.query {
            write(.readyForQuery(.idle))
            dropMessage()
        } else {
            skipsToSync = true
        }
        goOn()
    }

    private func dropMessage() {
        let header = held.withUnsafeReadableBytes { try? MessageHeader.read($0, at: 0) }
        held.moveReaderIndex(forwardBy: min(header?.messageBytes ?? 0, held.readableBytes))
    }

    // MARK: Cancel

    /// A cancel request with this client's key came.
    func cancel() {
        if case .lease = pause {
            loop.withdraw(self)
            pause = .none
            return fail(Report(.error, "57014", "canceling statement due to user request"))
        }
        guard let backend, !backend.exchange.isEmpty, let key = backend.cancelKey else { return }
        // The signal may come late, and then hits what runs next: nobody else may be that.
        backend.isSuspect = true
        loop.sendCancel(key, to: backend.node)
    }

    // MARK: Time

    func lookAtClock(_ now: NIODeadline) {
        switch phase {
        case .greeting, .login:
            if now - begun > TimeAmount(loop.configuration.loginTimeout) {
                end(Report(.fatal, "08006", "the login took too long"))
            }
        case .open:
            let limit = loop.configuration.idleTimeout
            // A backend that is settled is one of a session that keeps it.
            if limit > .zero, case .none = pause, now - active > TimeAmount(limit),
                backend?.exchange.isSettled ?? true
            {
                end(Report(.fatal, "57P05", "terminating connection due to idle-session timeout"))
            }
        case .welcoming, .closed: break
        }
    }

    /// The proxy stops: at once without a transaction, else when told by force.
    func goAway(force: Bool) {
        guard force || backend == nil || (backend?.exchange.isSettled ?? true) else { return }
        end(Report(.fatal, "57P01", "terminating connection due to administrator command"))
    }

    // MARK: The end

    func channelInactive(context: ChannelHandlerContext) {
        close()
        loop.instruments.clients.add(-1)
        loop.registry.leave()
        if let key { loop.registry.logout(user, key) }
        loop.remove(self, process: key?.process)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close()
    }

    func close() {
        if case .closed = phase { return }
        phase = .closed
        held = ByteBuffer()
        replay = nil
        statements = [:]
        own = nil
        loop.withdraw(self)
        if let backend {
            self.backend = nil
            if let key = backend.cancelKey, !backend.exchange.isEmpty { loop.sendCancel(key, to: backend.node) }
            // A session that was pinned, or cut off, is not for anybody else.
            backend.isSuspect = backend.isSuspect || isPinned || loop.configuration.pooling == .session
            loop.release(backend)
        }
        context?.close(promise: nil)
    }

    // MARK: Back-pressure

    var isWritable: Bool { context?.channel.isWritable ?? true }

    func read(context: ChannelHandlerContext) {
        let isHeld =
            switch pause {
            case .none: false
            case .lease, .backend, .turn, .gathering: held.readableBytes > Self.heldBytes
            }
        // Answers of ours would pile up for a client that does not read them.
        if isHeld || backend?.isWritable == false || !isWritable {
            wantsRead = true
        } else {
            context.read()
        }
    }

    func resumeReading() {
        guard wantsRead, backend?.isWritable ?? true, isWritable else { return }
        wantsRead = false
        context?.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            resumeReading()
            if wakesBackend {
                wakesBackend = false
                backend?.resumeReading()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: TLS

    /// Answers a packet before the startup packet; false if the connection is to go.
    func answer(_ packet: StartupPacket) -> Bool {
        greetings += 1
        guard greetings <= 2, held.readableBytes == 0, let context else {
            end(Report(.fatal, "08P01", "something follows a request that has to be answered first"))
            return false
        }
        guard packet == .requestTLS, !isSecure, let tls = loop.clientTLS else {
            write(ByteBuffer(bytes: [UInt8(ascii: "N")]))
            return true
        }
        write(ByteBuffer(bytes: [UInt8(ascii: "S")]))
        flush()
        isSecure = true
        outgoing.takeThePipeline()
        do {
            try context.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls), position: .first)
            return true
        } catch {
            close()
            return false
        }
    }
}
