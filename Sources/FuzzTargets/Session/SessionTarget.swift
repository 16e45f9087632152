import Instruments
import Logging
import NIOCore
import NIOEmbedded
import PostgresWire
import ReadProxy
import Records
import Topology

/// The read port's sessions, from the first byte of a client to the end of all of them.
///
/// Input: a byte of flags (1: a pool that keeps a session's backend; 2: nodes ask for a password; 4: small limits; 8: clients log in under
/// the trouble too), a byte that seeds marks and sizes, then steps: a byte that says what happens, one that says to whom, and what the step takes.
enum SessionTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let flags = input.byte()
        let stage: SessionStage
        do {
            stage = try SessionStage(flags, FuzzRandom(seed: input.byte()))
        } catch {
            preconditionFailure("no embedded sessions: \(error)")
        }
        if flags & 8 == 0 { try stage.settle() }
        while !input.rest.isEmpty { try stage.step(&input) }
        try stage.end()
    }

    /// Of the lane that all receipts here are of.
    static func receipt(_ number: Int) -> Position {
        Position(queue: QueueImage.key.queue, lane: QueueImage.key.lane, offset: Offset(UInt64(number % 4)))
    }
}

/// Three clients, a primary and a replica, and the read port between them.
///
/// Owner: one run of the target.
private final class SessionStage {
    private let loop = EmbeddedEventLoop()
    private let instruments = ReadInstruments(nodes: 2)
    private let dialling: Dialling
    private let reads: DetachedReads
    private var random: FuzzRandom
    private var readers: [ScriptedReader] = []
    /// Connections that cancel something; nobody expects anything of them.
    private var cancellers: [EmbeddedChannel] = []
    private var standings: [ReadRoster.Standing] = [.primary, .ready]
    /// By each node.
    private var shown = [3, 3]
    /// Nobody was given a reason to avoid a node.
    private var isPeaceful = true
    private var answers = 0
    private let isSmall: Bool

    /// What the read port has opened. Apart from the stage, so that nothing keeps itself in memory.
    private final class Dialling {
        var servers: [ScriptedServer] = []
        var refuses = false
        private let loop: EmbeddedEventLoop
        private let verifier: ScramVerifier?

        init(_ loop: EmbeddedEventLoop, _ verifier: ScramVerifier?) {
            self.loop = loop
            self.verifier = verifier
        }

        func dial(_ node: Int, _ prepare: (any Channel) throws -> Void) -> EventLoopFuture<any Channel> {
            guard !refuses else { return loop.makeFailedFuture(Finding("refused")) }
            do {
                let channel = EmbeddedChannel(loop: loop)
                let gate = ReadGate()
                try channel.pipeline.syncOperations.addHandler(gate)
                try prepare(channel)
                let number = servers.count
                let key = CancelKey(process: Int32(number), secret: [1, 2, 3, UInt8(truncatingIfNeeded: number)])
                servers.append(
                    ScriptedServer(node: node, channel: channel, gate: gate, key: key, verifier: verifier)
                )
                channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
                channel.pipeline.read()
                return loop.makeSucceededFuture(channel)
            } catch {
                preconditionFailure("no embedded connection: \(error)")
            }
        }
    }

    init(_ flags: UInt8, _ random: FuzzRandom) throws {
        self.random = random
        let asksPassword = flags & 2 != 0
        isSmall = flags & 4 != 0
        var configuration = ReadProxyConfiguration(
            upstream: .init(
                nodes: [NodeAddress(host: "primary"), NodeAddress(host: "replica")],
                database: ScriptedReader.user,
                user: "apm",
                password: ScriptedReader.password,
                tls: .disable
            )
        )
        // Those who find no backend are refused one query after another.
        configuration.wait = .milliseconds(300)
        configuration.pooling = flags & 1 == 0 ? .transaction : .session
        configuration.poolSize = isSmall ? 1 : 2
        configuration.policy = ReadChoice.Policy(lastResort: .primary, overdue: isSmall ? .error : .stale)
        if isSmall {
            configuration.maxMessageBytes = 200
            configuration.preparedStatements = 2
            configuration.idleTimeout = .seconds(20)
        }
        var users = ReadUsers()
        users.add(ScriptedReader.user, Self.verifier)
        let dialling = Dialling(loop, asksPassword ? Self.verifier : nil)
        self.dialling = dialling
        var logger = Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        reads = DetachedReads(
            eventLoop: loop,
            configuration: configuration,
            users: users,
            instruments: instruments,
            logger: logger,
            dial: { [dialling] in dialling.dial($0, $1) }
        )
        route()
        for _ in 0..<3 { readers.append(try reader()) }
    }

    private static let verifier = ScramVerifier(password: ScriptedReader.password, salt: [1, 2, 3, 4], iterations: 1)

    private func reader() throws -> ScriptedReader {
        let channel = EmbeddedChannel(loop: loop)
        let gate = ReadGate()
        try channel.pipeline.syncOperations.addHandler(gate)
        try reads.attach(channel)
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        channel.pipeline.read()
        return ScriptedReader(channel: channel, gate: gate, mark: "c\(random.next())c")
    }

    // MARK: - Steps

    func step(_ input: inout FuzzInput) throws(Finding) {
        let what = input.byte()
        let whom = input.byte()
        let reader = readers[Int(whom) % readers.count]
        switch what % 16 {
        case 0, 1, 2:
            reader.ask(input.byte(), input.byte())
            if what & 0x80 == 0 { try toPort(reader, Self.portion) }
        case 3: try toPort(reader, Int(input.byte()))
        case 4: work(server(whom))
        case 5:
            work(server(whom))
            fromServer(server(whom), Self.portion)
        case 6: fromServer(server(whom), Int(input.byte()))
        case 7:
            isPeaceful = false
            trouble(server(whom), &input)
        case 8: cancel(reader)
        case 9:
            reader.isStalled.toggle()
            reader.heard = 0
            reader.channel.isWritable = !reader.isStalled
            reader.channel.pipeline.fireChannelWritabilityChanged()
        case 10: reader.channel.close(promise: nil)
        case 11: reader.sendWild(input.take(Int(input.byte())))
        case 12:
            let node = Int(whom) % standings.count
            let all = ReadRoster.Standing.allCases
            standings[node] = all[Int(input.byte()) % all.count]
            let position = input.byte()
            for index in shown.indices where position & 0x80 == 0 || index == node { shown[index] = Int(position) % 4 }
            isPeaceful = isPeaceful && standings[node] == .ready
            route()
        case 13: loop.advanceTime(by: .milliseconds(Int64(input.byte()) * 20))
        case 14:
            dialling.refuses = whom & 1 == 1
            isPeaceful = false
        default: for server in dialling.servers { fromServer(server, Self.portion) }
        }
        loop.run()
        try collect()
        try expectNobodyHeldUp()
    }

    /// Those who wait for a position do it at nobody else's cost.
    private func expectNobodyHeldUp() throws(Finding) {
        let isFree = standings.indices.contains { standings[$0] == .ready && instruments.nodes[$0].idle.value > 0 }
        guard isFree, isPeaceful, !readers.contains(where: \.hasConflicted),
            !dialling.servers.contains(where: \.isComing)
        else { return }
        let waiting = instruments.waiting.value
        let patient = readers.count { $0.hasFloor && $0.isOpen }
        try promise(waiting <= patient, "\(waiting) wait, \(patient) of them for a position, and a node is free")
    }

    private func server(_ whom: UInt8) -> ScriptedServer? {
        let servers = dialling.servers.filter { !$0.isGone }
        return servers.isEmpty ? nil : servers[Int(whom) % servers.count]
    }

    @discardableResult
    private func work(_ server: ScriptedServer?) -> Bool {
        guard let server, server.step() else { return false }
        if let key = server.takeCancel() {
            for other in dialling.servers where other.key == key { other.isCancelled = true }
        }
        return true
    }

    private func trouble(_ server: ScriptedServer?, _ input: inout FuzzInput) {
        switch input.byte() % 6 {
        case 0: server?.hangUp(saying: nil)
        case 1: server?.hangUp(saying: .error(Report(.fatal, "57P01", "terminating connection")))
        case 2: server?.say(.notice(Report(.warning, "57P02", "terminating connection because of a crash")))
        case 3: server?.say(.parameterStatus(name: "in_hot_standby", value: "off"))
        case 4: server?.say(.notice(Report(.warning, "01000", "a warning")))
        default: server?.goMad(input.take(Int(input.byte())))
        }
    }

    private func cancel(_ reader: ScriptedReader) {
        guard let key = reader.key, let channel = try? self.reader().channel else { return }
        reader.hasCancelled = true
        var writer = WireWriter()
        StartupPacket.cancel(key).encode(into: &writer)
        cancellers.append(channel)
        // Fails once the port has closed the connection, as it does.
        _ = try? channel.writeInbound(ByteBuffer(bytes: writer.bytes))
    }

    private func route() {
        answers += 1
        let nodes = zip(standings, shown).map { standing, position in
            RouteTable.Node(
                standing: standing,
                answers: answers,
                shown: [QueueImage.key: SessionTarget.receipt(position).offset]
            )
        }
        reads.route(RouteTable(nodes: nodes))
    }

    // MARK: - Bytes

    /// As much as a socket gives at once.
    private static let portion = 1 << 16

    private func toPort(_ reader: ScriptedReader, _ count: Int) throws(Finding) {
        guard reader.channel.isActive, reader.gate.isOpen, count > 0 else { return }
        if reader.isStalled, !reader.output.isEmpty {
            reader.heard += 1
            // What was asked for before it stopped.
            try promise(reader.heard <= 1, "a client that does not read is listened to")
        }
        deliver(reader.deliver(count), reader.channel, reader.gate)
    }

    private func fromServer(_ server: ScriptedServer?, _ count: Int) {
        guard let server, server.channel.isActive, server.gate.isOpen, count > 0 else { return }
        deliver(server.deliver(count), server.channel, server.gate)
    }

    private func deliver(_ bytes: [UInt8], _ channel: EmbeddedChannel, _ gate: ReadGate) {
        guard !bytes.isEmpty else { return }
        gate.isOpen = false
        // Fails once it is closed, which the next step sees.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        // As a channel with automatic reading does after each burst.
        channel.pipeline.read()
    }

    private var isServed: Bool { !dialling.servers.contains { $0.isMad } }

    /// What the port has written goes to where it belongs.
    private func collect() throws(Finding) {
        for server in dialling.servers {
            while let written = try? server.channel.readOutbound(as: ByteBuffer.self) {
                server.take(written.readableBytesView)
            }
            if server.isGone, server.channel.isActive { server.channel.close(promise: nil) }
        }
        let marks = readers.map(\.mark)
        for reader in readers {
            while let written = try? reader.channel.readOutbound(as: ByteBuffer.self) {
                try reader.take(
                    written.readableBytesView,
                    others: marks.filter { $0 != reader.mark },
                    isServed: isServed
                )
            }
            try promise(reader.unreadable <= Self.mostUnreadable, "a client that does not read is written to on and on")
        }
        let most = (isSmall ? 200 : 1 << 20) + Self.mostHeld
        try promise(reads.mostBytesHeld <= most, "\(reads.mostBytesHeld) bytes are held for a client")
        loop.run()
    }

    /// What was under way when a client stopped reading: a portion of each side, and what the port says to either.
    private static let mostUnreadable = 4 * portion
    private static let mostHeld = 1 << 18

    // MARK: - The end

    /// Lets everybody do what they have to do, for some seconds, and on until all is answered that these have asked.
    func settle(for probed: [ScriptedReader] = []) throws(Finding) {
        for turn in 0..<5000 {
            let waiting = probed.contains { $0.channel.isActive && $0.isOwed && !$0.mixesProtocols }
            guard turn < 60 || waiting else { break }
            for reader in readers { try toPort(reader, Self.portion) }
            loop.run()
            try collect()
            for server in dialling.servers {
                while work(server) {}
                fromServer(server, Self.portion)
            }
            loop.run()
            try collect()
            // Nodes go on answering: one that lost a connection is taken for back behind two answers more.
            route()
            loop.advanceTime(by: .milliseconds(100))
        }
    }

    private func expectReadies(_ probed: [ScriptedReader]) throws(Finding) {
        for reader in probed where reader.channel.isActive && !reader.hasCancelled {
            try promise(
                reader.readies == reader.owed || reader.mixesProtocols,
                "ready \(reader.readies) times, asked \(reader.owed) times"
            )
            try promise(!reader.isOwed || reader.mixesProtocols, "what stands before a Flush is not answered")
        }
    }

    /// From here on everything goes well; then all of it ends.
    func end() throws(Finding) {
        dialling.refuses = false
        standings = [.primary, .ready]
        shown = [3, 3]
        for reader in readers where reader.isStalled {
            reader.isStalled = false
            reader.channel.isWritable = true
            reader.channel.pipeline.fireChannelWritabilityChanged()
        }
        try settle()
        let isServed = isServed
        let probed = readers.filter { $0.channel.isActive && $0.isIn && !$0.isWild && isServed }
        // What was asked is answered without another word of the client, which would take with it whatever was left lying.
        try settle(for: probed)
        try expectReadies(probed)
        for reader in probed { reader.askLast() }
        try settle(for: probed)
        for reader in probed where reader.channel.isActive && !reader.hasCancelled {
            // Those that keep their backend may leave none for the others.
            try promise(reader.isAnswered || reader.isRefused, "\(reader.mark) has no answer to its last question")
        }
        try expectReadies(probed)
        _ = reads.drain(grace: .seconds(1))
        loop.run()
        loop.advanceTime(by: .seconds(60))
        try collect()
        for reader in readers { try promise(!reader.channel.isActive, "a client is left behind a shutdown") }
        for channel in cancellers { try promise(!channel.isActive, "a cancel request is left open") }
        for server in dialling.servers where server.channel.isActive {
            throw Finding("a connection to node \(server.node) is left behind a shutdown")
        }
        try promise(instruments.clients.value == 0, "\(instruments.clients.value) clients are counted behind the end")
        try promise(instruments.waiting.value == 0, "\(instruments.waiting.value) clients wait behind the end")
        for node in instruments.nodes {
            try promise(
                node.inUse.value == 0 && node.idle.value == 0,
                "\(node.inUse.value) connections in use and \(node.idle.value) idle ones are counted behind the end"
            )
        }
    }
}
