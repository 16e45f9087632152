import NIOEmbedded
import PostgresWire

/// A PostgreSQL server's session, as far as the read port can tell: keeps to the protocol, takes the few statements that ``ScriptedReader`` sends,
/// and answers each with what it was asked. What it listens to, it hears of with every answer. Works one message at a time, when it is told to.
///
/// Owner: one run of a fuzz target.
final class ScriptedServer {
    private enum Phase {
        case greeting
        case login(ScramServer)
        case open
        /// Sends what it is given, and reads nothing.
        case mad
        case gone
    }

    private struct Portal {
        var text: String
        var parameters: [String]
        var isDone = false
    }

    let node: Int
    /// The read port's end of the connection.
    let channel: EmbeddedChannel
    let gate: ReadGate
    let key: CancelKey
    private let verifier: ScramVerifier?
    private var phase = Phase.greeting
    /// From the read port, not read yet.
    private var input: [UInt8] = []
    /// For the read port, not delivered yet.
    private(set) var output: [UInt8] = []
    /// Held back, as PostgreSQL does, until a Flush, a Sync or a simple query; a report takes it along.
    private var unflushed: [UInt8] = []
    private var status = BackendMessage.TransactionStatus.idle
    private var skipsToSync = false
    private var statements: [String: String] = [:]
    private var portals: [String: Portal] = [:]
    private var settings: [String: String] = [:]
    private var reported = ""
    /// What the session listens to.
    private var channels: Set<String> = []
    /// Of a cancel request that has come: the next statement is the one it hits.
    var isCancelled = false
    /// A key that came in place of a startup packet, as long as nothing has come of it.
    private var cancels: CancelKey?

    init(node: Int, channel: EmbeddedChannel, gate: ReadGate, key: CancelKey, verifier: ScramVerifier?) {
        self.node = node
        self.channel = channel
        self.gate = gate
        self.key = key
        self.verifier = verifier
    }

    var isGone: Bool {
        if case .gone = phase { output.isEmpty } else { false }
    }

    var isComing: Bool {
        switch phase {
        case .greeting, .login: true
        case .open, .mad, .gone: false
        }
    }

    var isMad: Bool {
        if case .mad = phase { true } else { false }
    }

    func takeCancel() -> CancelKey? {
        defer { cancels = nil }
        return cancels
    }

    func take(_ bytes: some Sequence<UInt8>) {
        input += bytes
    }

    func deliver(_ count: Int) -> [UInt8] {
        let portion = Array(output.prefix(count))
        output.removeFirst(portion.count)
        return portion
    }

    /// Sends bytes of somebody else's making, and is no server from then on.
    func goMad(_ bytes: some Sequence<UInt8>) {
        phase = .mad
        output += bytes
    }

    func hangUp(saying message: BackendMessage?) {
        guard !isMad else { return }
        if let message {
            send(message)
        } else {
            // Whoever is killed says no more, not even the rest of a message.
            output = []
            unflushed = []
        }
        phase = .gone
    }

    func say(_ message: BackendMessage) {
        guard case .open = phase else { return }
        send(message)
        flush()
    }

    private func send(_ messages: BackendMessage...) {
        for message in messages {
            unflushed += message.bytes
            switch message {
            case .error, .notice, .authentication, .readyForQuery, .copyInResponse: flush()
            default: break
            }
        }
    }

    private func flush() {
        output += unflushed
        unflushed = []
    }

    // MARK: - Messages

    /// Reads one message. False if none is there.
    func step() -> Bool {
        switch phase {
        case .mad, .gone: return false
        case .greeting:
            guard let length = try? input.withUnsafeBytes({ try StartupPacket.length($0) }), input.count >= length,
                let packet = try? input[..<length].withUnsafeBytes({ try StartupPacket(decoding: $0) })
            else { return false }
            input.removeFirst(length)
            greet(packet)
        case .login, .open:
            guard let header = try? input.withUnsafeBytes({ try MessageHeader.read($0, at: 0) }),
                input.count >= header.messageBytes
            else { return false }
            let body = Array(input[MessageHeader.bytes..<header.messageBytes])
            input.removeFirst(header.messageBytes)
            guard let message = try? body.withUnsafeBytes({ try FrontendMessage(tag: header.tag, body: $0) }) else {
                hangUp(saying: .error(Report(.fatal, "08P01", "invalid message")))
                return true
            }
            if case .login(let machine) = phase { login(message, machine) } else { handle(message) }
        }
        return true
    }

    private func greet(_ packet: StartupPacket) {
        switch packet {
        case .cancel(let key):
            cancels = key
            phase = .gone
        case .startup:
            guard let verifier else { return welcome() }
            send(.authentication(.sasl(mechanisms: [ScramVerifier.mechanism])))
            phase = .login(ScramServer(verifier: verifier, nonce: [1, 2, 3]))
        case .requestTLS, .requestGSSEncryption: output.append(UInt8(ascii: "N"))
        }
    }

    private func login(_ message: FrontendMessage, _ machine: ScramServer) {
        var machine = machine
        guard case .password(let body) = message else { return hangUp(saying: nil) }
        if !machine.isChallenged, let challenge = try? machine.begin(body) {
            send(.authentication(.saslContinue(challenge)))
            phase = .login(machine)
        } else if let final = try? machine.finish(body) {
            send(.authentication(.saslFinal(final)))
            welcome()
        } else {
            hangUp(saying: .error(Report(.fatal, "28P01", "password authentication failed")))
        }
    }

    private func welcome() {
        phase = .open
        send(
            .authentication(.ok),
            .parameterStatus(name: "application_name", value: ""),
            .parameterStatus(name: "in_hot_standby", value: node == 0 ? "off" : "on"),
            .backendKeyData(key),
            .readyForQuery(.idle)
        )
    }

    private func handle(_ message: FrontendMessage) {
        if skipsToSync {
            switch message {
            case .sync, .terminate: break
            default: return
            }
        }
        switch message {
        case .query(let bytes):
            statements[""] = nil
            portals[""] = nil
            for text in String(decoding: bytes, as: UTF8.self).split(separator: ";") {
                guard carryOut(String(text), [], describes: true) else { break }
            }
            // The rest of a COPY is not waited for: the read port has none.
            ready()
        case .parse(let parse):
            let text = String(decoding: parse.query, as: UTF8.self)
            if text == "BAD" { return fail("42601", "syntax error") }
            if status == .inFailedBlock, !Self.endsBlock(text) { return failInBlock() }
            guard parse.name.isEmpty || statements[parse.name] == nil else {
                return fail("42P05", "prepared statement \"\(parse.name)\" already exists")
            }
            statements[parse.name] = text
            send(.parseComplete)
        case .bind(let bind):
            guard let text = statements[bind.statement] else {
                return fail("26000", "prepared statement \"\(bind.statement)\" does not exist")
            }
            if status == .inFailedBlock, !Self.endsBlock(text) { return failInBlock() }
            let parameters = bind.values.map { String(decoding: $0 ?? [], as: UTF8.self) }
            portals[bind.portal] = Portal(text: text, parameters: parameters)
            send(.bindComplete)
        case .describe(.statement, let name):
            guard statements[name] != nil else {
                return fail("26000", "prepared statement \"\(name)\" does not exist")
            }
            send(.parameterDescription([25]), .rowDescription(Self.columns))
        case .describe(.portal, let name):
            guard portals[name] != nil else { return fail("34000", "portal \"\(name)\" does not exist") }
            send(.rowDescription(Self.columns))
        case .execute(let name, let rows):
            guard let portal = portals[name] else { return fail("34000", "portal \"\(name)\" does not exist") }
            guard !portal.isDone else { return send(.commandComplete(tag: "SELECT 0")) }
            portals[name]?.isDone = true
            _ = carryOut(portal.text, portal.parameters, describes: false, isSuspended: rows == 1)
        case .close(.statement, let name):
            statements[name] = nil
            send(.closeComplete)
        case .close(.portal, let name):
            portals[name] = nil
            send(.closeComplete)
        case .sync:
            skipsToSync = false
            ready()
        case .flush: flush()
        case .copyData, .copyDone, .copyFail: break
        case .terminate: phase = .gone
        case .password: hangUp(saying: .error(Report(.fatal, "08P01", "no password was asked for")))
        }
    }

    private func ready() {
        if status == .idle { portals = [:] }
        let now = settings["application_name"] ?? ""
        if now != reported {
            reported = now
            send(.parameterStatus(name: "application_name", value: now))
        }
        for channel in channels.sorted() { send(.notification(process: key.process, channel: channel, payload: "")) }
        send(.readyForQuery(status))
    }

    private func fail(_ code: String, _ text: String) {
        if status == .inBlock { status = .inFailedBlock }
        skipsToSync = true
        send(.error(Report(.error, code, text)))
    }

    private func failInBlock() {
        fail("25P02", "current transaction is aborted, commands ignored until end of transaction block")
    }

    private static func endsBlock(_ text: String) -> Bool { text.hasPrefix("COMMIT") || text.hasPrefix("ROLLBACK") }

    private static let columns = [
        BackendMessage.Column(name: "asked"), BackendMessage.Column(name: "application_name"),
    ]

    // MARK: - Statements

    /// - Returns: false if it failed.
    private func carryOut(_ text: String, _ parameters: [String], describes: Bool, isSuspended: Bool = false) -> Bool {
        let skips = skipsToSync
        defer { if describes { skipsToSync = skips } }
        if status == .inFailedBlock, !Self.endsBlock(text) {
            failInBlock()
            return false
        }
        if isCancelled {
            isCancelled = false
            fail("57014", "canceling statement due to user request")
            return false
        }
        let quoted = text.split(separator: "'", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
        switch text {
        case _ where text.hasPrefix("SELECT pg_catalog.set_config("):
            for index in stride(from: 0, to: quoted.count - 1, by: 2) { settings[quoted[index]] = quoted[index + 1] }
            send(.rowDescription([.init(name: "set_config")]), .dataRow([[]]), .commandComplete(tag: "SELECT 1"))
        case _ where text.hasPrefix("SELECT name, setting FROM pg_catalog.pg_settings"):
            send(.rowDescription([.init(name: "name"), .init(name: "setting")]))
            for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
                send(.dataRow([Array(name.utf8), Array(value.utf8)]))
            }
            send(.commandComplete(tag: "SELECT \(settings.count)"))
        case "SET default_transaction_read_only = on": send(.commandComplete(tag: "SET"))
        case _ where text.hasPrefix("SET application_name = "):
            settings["application_name"] = quoted.first
            send(.commandComplete(tag: "SET \(quoted.first ?? "")"))
        case _ where text.hasPrefix("RESET "):
            settings = [:]
            send(.commandComplete(tag: "RESET"))
        case "BEGIN":
            status = .inBlock
            send(.commandComplete(tag: text))
        case "COMMIT", "ROLLBACK":
            status = .idle
            send(.commandComplete(tag: text))
        case _ where text.hasPrefix("FAIL"):
            fail("22012", "division by zero: \(text)")
            return false
        case _ where text.hasPrefix("CONFLICT"):
            fail("40001", "canceling statement due to conflict with recovery: \(text)")
            return false
        case _ where text.hasPrefix("COPY IN"):
            send(.copyInResponse(.init(isBinary: false, columns: [0])))
            phase = .gone
            return false
        case _ where text.hasPrefix("COPY OUT"):
            send(
                .copyOutResponse(.init(isBinary: false, columns: [0])),
                .copyData(Array(text.utf8)),
                .copyData(Array(text.utf8)),
                .copyDone,
                .commandComplete(tag: "COPY 2")
            )
        case _ where text.hasPrefix("LISTEN "):
            channels.insert(String(text.dropFirst("LISTEN ".count)))
            send(.commandComplete(tag: "LISTEN"))
        case "": send(.emptyQueryResponse)
        default:
            if describes { send(.rowDescription(Self.columns)) }
            let asked = text + parameters.map { " \($0)" }.joined()
            let filling = text.hasPrefix("BIG") ? String(repeating: " ", count: 20_000) : ""
            send(.dataRow([Array((asked + filling).utf8), Array((settings["application_name"] ?? "").utf8)]))
            send(isSuspended ? .portalSuspended : .commandComplete(tag: "SELECT 1"))
        }
        return true
    }
}
