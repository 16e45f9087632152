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
    private var waitingSince: NIODeadline
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
    private(set) var backend: BackendConnection?
    /// The backend is the client's to the end of the connection.
    var isPinned = false
    /// The settings have to be asked for before the backend is given back.
    var touchesSettings = false
    /// A byte of the answer went out.
    private var hasAnswered = false
    var sawFatal = false
    /// The backend went in the middle of a message: whatever followed it would be read as its rest.
    private var isCutShort = false
    /// What the client has sent since the lease began, to be sent again elsewhere; nil if that is too much, or not allowed.
    private var replay: ByteBuffer? = ByteBuffer()
    private var attempts = 0
    private var isRunningAgain = false
    /// A node that has just failed this client.
    private(set) var avoidedNode: Int?
    /// After an error of ours, until the client's Sync.
    var skipsToSync = false

    // Prepared statements.
    var statements: [String: PreparedStatement] = [:]
    /// Those of when the lease began, to begin with again elsewhere.
    private var statementsBefore: [String: PreparedStatement] = [:]
    /// The client's unnamed statement: what it sent behind the name; empty if there is none.
    var unnamed = ByteBuffer()
    /// The backend's unnamed statement is this client's.
    var unnamedIsThere = false
    /// Of Forebay's own statements; nil as long as the client has used none.
    var own: OwnBook?

    // Back-pressure.
    var wakesBackend = false
    private var wantsRead = false

    /// Statements up to this size can be run again.
    private static let replayBytes = 1 << 20
    private static let mostAttempts = 2
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

    // MARK: Leases

    /// Whether there is a backend now; else the message stays until there is.
    func hasBackend() -> Bool {
        if backend != nil { return true }
        guard let backend = loop.lease(self) else {
            pause = .lease
            waitingSince = loop.eventLoop.now
            return false
        }
        return begin(backend)
    }

    /// Takes a backend. False as long as it does not have the client's settings.
    private func begin(_ backend: BackendConnection) -> Bool {
        backend.lease(to: self)
        self.backend = backend
        hasAnswered = false
        sawFatal = false
        unnamedIsThere = false
        touchesSettings = false
        statementsBefore = statements
        replay?.clear()
        if replay == nil { replay = ByteBuffer() }
        guard backend.settings !== settings else {
            tellParameters(of: backend)
            return true
        }
        pause = .backend
        backend.take(settings) { [self] report in
            pause = .none
            if let report {
                giveBack()
                return fail(report)
            }
            tellParameters(of: backend)
            proceed()
        }
        return false
    }

    /// There is a backend with the client's settings.
    func proceed() {
        if case .welcoming = phase {
            welcome()
            giveBack()
        }
        process()
        flush()
        backend?.flush()
    }

    func granted(_ backend: BackendConnection) {
        loop.instruments.waits.record(Int((loop.eventLoop.now - waitingSince).nanoseconds / 1000))
        pause = .none
        if begin(backend) { proceed() }
    }

    func refused(_ reason: ReadChoice.Reason) {
        pause = .none
        switch reason {
        case .full:
            fail(
                Report(
                    .error,
                    "53300",
                    "no connection to a node became free in time",
                    hint: "Raise read.pool_size, or read.wait."
                )
            )
        case .nobody:
            fail(Report(.error, "57P03", "no node can be read from now", hint: "See forebay status."))
        case .floor:
            let list = wanted.map(\.description).joined(separator: ", ")
            fail(
                Report(
                    .error,
                    "58000",
                    "no node that may be read from showed in time what \(OwnSetting.name), or a write of one's own, asks for",
                    detail: "Asked for: \(list).",
                    hint: "Raise read.wait, set read.overdue, or RESET \(OwnSetting.name)."
                )
            )
        }
    }

    func isLate(_ now: NIODeadline) -> Bool { now - waitingSince >= TimeAmount(loop.configuration.wait) }

    /// Tells the client what has changed of its session, since it is on another backend.
    private func tellParameters(of backend: BackendConnection) {
        let now = backend.parameters
        if case .welcoming = phase {
            told = now
            return
        }
        guard now !== told else { return }
        for (name, value) in now.values.sorted(by: { $0.key < $1.key }) where told.values[name] != value {
            write(.parameterStatus(name: name, value: value))
        }
        told = now
    }

    /// The backend owes nothing any more.
    func settled() {
        settle()
        guard case .turn = pause else { return }
        pause = .none
        process()
        flush()
        backend?.flush()
    }

    private func settle() {
        guard let backend else { return }
        if isRunningAgain {
            isRunningAgain = false
            // Statements before the one that failed may have set something, which nobody has asked for yet.
            if touchesSettings { backend.isSuspect = true }
            let before = statementsBefore
            giveBack()
            statementsBefore = before
            return runAgain(avoiding: backend.node)
        }
        guard backend.exchange.isSettled else {
            // What is open now, a transaction or a batch, can't be begun anew elsewhere.
            replay = nil
            return
        }
        attempts = 0
        avoidedNode = nil
        if isPinned || loop.configuration.pooling == .session {
            hasAnswered = false
            replay = nil
            return
        }
        guard touchesSettings else {
            giveBack()
            return
        }
        touchesSettings = false
        pause = .backend
        backend.ask(SessionSettings.harvest) { [self] result in
            pause = .none
            switch result {
            case .success(let rows):
                adopt(rows, from: backend)
                giveBack()
            case .failure:
                // What the session has now is not known: it stays with the client.
                pin()
            }
            process()
            flush()
            self.backend?.flush()
        }
    }

    /// What a session on the backend has now is what the client wants from now on.
    private func adopt(_ rows: [[String?]], from backend: BackendConnection) {
        var values: [String: String] = [:]
        for row in rows where row.count == 2 {
            guard let name = row[0], let value = row[1] else { continue }
            if name == "default_transaction_read_only" {
                // Turned off by a way that was not seen coming: the next client must not find it so.
                if value != "on" { backend.isSuspect = true }
                continue
            }
            values[name.lowercased()] = value
        }
        backend.settled(on: loop.settings(values))
        // What was reset is, for this client, what its startup packet said.
        settings = loop.settings(startup.values.merging(values) { $1 })
    }

    func pin() {
        guard !isPinned else { return }
        isPinned = true
        loop.instruments.pins.add()
    }

    private func giveBack() {
        guard let backend else { return }
        self.backend = nil
        statementsBefore = [:]
        // An idle client is to cost little.
        if let capacity = replay?.capacity, capacity > 4096 { replay = ByteBuffer() }
        loop.release(backend)
        resumeReading()
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
        process()
        flush()
    }

    private func dropMessage() {
        let header = held.withUnsafeReadableBytes { try? MessageHeader.read($0, at: 0) }
        held.moveReaderIndex(forwardBy: min(header?.messageBytes ?? 0, held.readableBytes))
    }

    // MARK: Running again

    var bytesHeld: Int { held.readableBytes + (replay?.readableBytes ?? 0) }

    /// Keeps what was sent, as long as nothing was answered.
    func remember(_ message: ByteBuffer) {
        guard replay != nil, !hasAnswered else { return }
        if (replay?.readableBytes ?? 0) + message.readableBytes > Self.replayBytes {
            replay = nil
        } else {
            replay?.writeImmutableBuffer(message)
        }
    }

    private var mayRunAgain: Bool {
        guard let replay, replay.readableBytes > 0, case .open = phase else { return false }
        return !hasAnswered && !isPinned && attempts < Self.mostAttempts && loop.configuration.pooling == .transaction
    }

    /// The backend answers with an error. True if the client is not to see it: the statement is run again elsewhere.
    func runsAgain(after report: Report) -> Bool {
        guard mayRunAgain, Self.passing.contains(report.code), let backend else { return false }
        // A notice of the end, or the end itself.
        if report.isFatal || report.code == "57P02" { return true }
        guard backend.exchange.endsInReady else { return false }
        isRunningAgain = true
        return true
    }

    /// Shutdown, crash, not yet up, and a conflict with recovery: another node does not have it.
    private static let passing: Set<String> = ["57P01", "57P02", "57P03", "40001"]

    private func runAgain(avoiding node: Int) {
        attempts += 1
        loop.instruments.reruns.add()
        avoidedNode = node
        statements = statementsBefore
        var input = replay ?? ByteBuffer()
        input.writeImmutableBuffer(held)
        held = input
        replay = ByteBuffer()
        pause = .none
        process()
        flush()
        backend?.flush()
    }

    /// The backend is gone.
    func lost(_ backend: BackendConnection, _ report: Report) {
        guard self.backend === backend else { return }
        self.backend = nil
        isCutShort = backend.exchange.isWithinMessage
        isRunningAgain = false
        pause = .none
        switch phase {
        case .welcoming where hasNotBegun:
            attempts += 1
            avoidedNode = backend.node
            if hasBackend() { proceed() }
        case .open where mayRunAgain: runAgain(avoiding: backend.node)
        case .open where hasNotBegun:
            attempts += 1
            avoidedNode = backend.node
            process()
            flush()
            self.backend?.flush()
        case .greeting, .login, .welcoming, .open, .closed: end(report)
        }
    }

    /// It has a backend, and nothing of its own was sent there: the settings come first.
    private var hasNotBegun: Bool {
        switch phase {
        case .welcoming: attempts < Self.mostAttempts
        case .open: !hasAnswered && replay?.readableBytes == 0 && attempts < Self.mostAttempts && !isPinned
        case .greeting, .login, .closed: false
        }
    }

    /// Nothing is heard of the node any more, and another one could run the statement.
    func leaveNode() {
        guard let backend, isWaiting(for: backend.node) else { return }
        backend.close()
        loop.lost(backend)
        lost(backend, Report(.fatal, "08006", "the node does not answer"))
    }

    func isWaiting(for node: Int) -> Bool {
        guard let backend, backend.node == node else { return false }
        return (mayRunAgain || hasNotBegun) && !backend.exchange.isEmpty
    }

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
            if limit > .zero, backend == nil || isPinned, case .none = pause, now - active > TimeAmount(limit),
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
