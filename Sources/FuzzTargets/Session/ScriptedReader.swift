import NIOCore
import NIOEmbedded
import PostgresWire

/// A client of the read port. Whatever it asks carries its mark and a number, and so do its settings; it looks for them in what it is given.
///
/// Owner: one run of a fuzz target.
final class ScriptedReader {
    let channel: EmbeddedChannel
    let gate: ReadGate
    /// In all that it sends, and in nothing that anybody else does.
    let mark: String
    private var scram: ScramClient
    /// Not delivered to the read port yet.
    private(set) var output: [UInt8] = []
    private var received: [UInt8] = []
    private(set) var isIn = false
    private(set) var key: CancelKey?
    /// Sends bytes that are no messages.
    private(set) var isWild = false
    var hasCancelled = false
    var isStalled = false
    /// Portions that were taken from it while it was not reading.
    var heard = 0
    /// Bytes that came while it was not reading.
    private(set) var unreadable = 0
    private var asked = 0
    private var bursts = 0
    private var answered = 0
    /// Answers of ReadyForQuery that it has a right to, and those that came.
    private(set) var owed = 1
    private(set) var readies = 0
    /// What it has sent and has no answer to yet, in order.
    private var open = CircularBuffer<FrontendMessage>()
    /// So many of these the server may not keep to itself: a Flush, a Sync or a simple query stands behind them.
    private var pressing = 0
    /// After an error, until its Sync.
    private var isSkipped = false
    /// It may wait for a node that shows a position.
    private(set) var hasFloor = false
    /// It may have been told to go to another node.
    private(set) var hasConflicted = false
    private var isInBatch = false
    /// Has sent a query before the Sync of a batch: behind an error it is skipped with the rest.
    private(set) var mixesProtocols = false
    /// Its own, as it has set it last; nil once it has reset it, since it can't tell when.
    private var application: String?
    /// The number of its unnamed statement, and the one that each Bind of it has to do with.
    private var unnamed: Int?
    private var bound: [Int: Int] = [:]
    private(set) var sawFatal = false
    /// There was no backend for what it has asked lately.
    private(set) var isRefused = false

    init(channel: EmbeddedChannel, gate: ReadGate, mark: String) {
        self.channel = channel
        self.gate = gate
        self.mark = mark
        scram = ScramClient(password: Self.password, nonce: Array(mark.utf8))
        let startup = StartupMessage(parameters: [
            .init("user", Self.user), .init("database", Self.user), .init("application_name", "\(mark)-0"),
        ])
        application = "\(mark)-0"
        var writer = WireWriter()
        StartupPacket.startup(startup).encode(into: &writer)
        output = writer.bytes
    }

    static let user = "reader"
    static let password = "secret"

    func deliver(_ count: Int) -> [UInt8] {
        let portion = Array(output.prefix(count))
        output.removeFirst(portion.count)
        return portion
    }

    // MARK: - What it sends

    func sendWild(_ bytes: some Sequence<UInt8>) {
        isWild = true
        hasFloor = true
        hasConflicted = true
        output += bytes
    }

    private func send(_ messages: FrontendMessage...) {
        var writer = WireWriter()
        for message in messages {
            message.encode(into: &writer)
            note(message)
        }
        output += writer.bytes
    }

    private func note(_ message: FrontendMessage) {
        switch message {
        case .sync:
            owed += 1
            isInBatch = false
            isSkipped = false
        case .query:
            owed += 1
            mixesProtocols = mixesProtocols || isInBatch
            unnamed = nil
        case .parse, .bind, .describe, .execute, .close: isInBatch = true
        case .flush: pressing = open.count
        case .terminate, .password, .copyData, .copyDone, .copyFail: return
        }
        guard !isSkipped, message != .flush else { return }
        open.append(message)
        if message.endsInReady { pressing = open.count }
    }

    var isOpen: Bool { !open.isEmpty }

    /// Something is due without another word of it.
    var isOwed: Bool { readies < owed || pressing > 0 }

    /// How many messages stand before the first of that kind.
    private func place(where isIt: (FrontendMessage) -> Bool) -> Int? {
        open.firstIndex(where: isIt).map { open.distance(from: open.startIndex, to: $0) }
    }

    private func close(_ count: Int) {
        open.removeFirst(count)
        pressing = max(0, pressing - count)
    }

    /// Takes note of what is answered.
    private func settle(_ message: BackendMessage) {
        switch (message, open.first) {
        case (.readyForQuery, _):
            if let end = place(where: \.endsInReady) { close(end + 1) }
        case (.error, let first?) where !first.endsInReady:
            let end = place { $0 == .sync }
            isSkipped = end == nil
            close(end ?? open.count)
        case (.parseComplete, .parse), (.bindComplete, .bind), (.closeComplete, .close),
            (.rowDescription, .describe), (.noData, .describe),
            (.commandComplete, .execute), (.emptyQueryResponse, .execute), (.portalSuspended, .execute):
            close(1)
        default: break
        }
    }

    private func query(_ text: String) {
        send(.query(Array(text.utf8)))
    }

    private func number() -> String {
        asked += 1
        return "\(mark)#\(asked)#"
    }

    /// One of the things that clients do.
    func ask(_ kind: UInt8, _ detail: UInt8) {
        let name = "s\(detail % 3)"
        switch kind % 30 {
        case 0: query("SELECT \(number())")
        case 1: query("BEGIN")
        case 2: query("COMMIT")
        case 3:
            asked += 1
            query("SET application_name = '\(mark)-\(asked)'")
        case 4: query("FAIL \(number())")
        case 5:
            hasConflicted = true
            query("CONFLICT \(number())")
        case 6: query("COPY OUT \(number())")
        case 7: query("BIG \(number())")
        case 8: send(.parse(.init(name: name, query: Array("SELECT \(number())".utf8))))
        case 9: send(.parse(.init(name: name, query: Array("SELECT shared".utf8))))
        case 10: execute(name)
        case 11: send(.describe(.statement, name: name))
        case 12:
            // Many at once, but not in every step: an input of 2 kB could ask for millions.
            let isBurst = detail >= 0x80 && bursts < 16
            bursts += isBurst ? 1 : 0
            for _ in 0..<(isBurst ? 3000 : 1) { send(.close(.statement, name: name)) }
        case 13:
            if detail & 0x40 == 0 {
                send(.parse(.init(query: Array("SELECT \(number())".utf8))))
                unnamed = asked
            } else {
                asked += 1
                send(.parse(.init(query: Array("SET application_name = '\(mark)-\(asked)'".utf8))))
                unnamed = nil
            }
            if detail & 0x80 == 0 { execute("") }
        case 14: execute("")
        case 15: send(.flush)
        case 16: send(.sync)
        case 17: execute(name, rows: 1)
        case 18:
            hasFloor = true
            query("SET forebay.after = '\(SessionTarget.receipt(Int(detail)))'")
        case 19: query("SHOW forebay.after")
        case 20:
            application = nil
            query("DISCARD ALL")
        case 21: query("DEALLOCATE ALL")
        case 22: query("LISTEN \(mark)")
        case 23: send(.terminate)
        case 24:
            application = nil
            query("RESET ALL")
        case 25: query("COPY IN")
        case 26: query("SELECT \(number());SELECT \(number())")
        case 27: query("SET default_transaction_read_only = off")
        case 28: send(.parse(.init(name: name, query: Array("SHOW forebay.after".utf8))))
        default: send(.parse(.init(name: name, query: Array("BAD".utf8))))
        }
    }

    private func execute(_ name: String, rows: Int32 = 0) {
        send(
            .bind(.init(portal: "", statement: name, values: [Array(number().utf8)])),
            .execute(portal: "", rows: rows)
        )
        if name.isEmpty { bound[asked] = unnamed }
    }

    /// Ends whatever is open, and asks one thing more.
    func askLast() {
        isRefused = false
        send(.sync)
        query("ROLLBACK")
        query("SELECT \(number())")
    }

    /// The last thing that was asked was answered.
    var isAnswered: Bool { answered == asked }

    // MARK: - What it is given

    /// - Parameter others: the marks of everybody else.
    func take(_ bytes: some Sequence<UInt8>, others: [String], isServed: Bool) throws(Finding) {
        let before = received.count
        received += bytes
        if isStalled { unreadable += received.count - before }
        for other in others {
            try promise(!received.contains(other), "\(mark) is given what is \(other)'s")
        }
        while let header = try? received.withUnsafeBytes({ try MessageHeader.read($0, at: 0) }),
            received.count >= header.messageBytes
        {
            let body = Array(received[MessageHeader.bytes..<header.messageBytes])
            received.removeFirst(header.messageBytes)
            // Behind a server that is out of its mind, or bytes that are no messages, nothing is as it was.
            let message = try? body.withUnsafeBytes({ try BackendMessage(tag: header.tag, body: $0) })
            guard let message else {
                try promise(!isServed, "message \(header.tag) can't be read")
                continue
            }
            try handle(message, isServed: isServed && !isWild)
        }
        if received.first == BackendTag.dataRow, !isWild {
            try promise(!received.contains("SFATAL"), "an error stands in the middle of a row")
        }
    }

    private func handle(_ message: BackendMessage, isServed: Bool) throws(Finding) {
        settle(message)
        switch message {
        case .authentication(.sasl): password(scram.initialResponse)
        case .authentication(.saslContinue(let challenge)):
            if let proof = try? scram.prove(challenge) { password(proof) }
        case .authentication(.ok): isIn = true
        case .backendKeyData(let key): self.key = key
        case .readyForQuery:
            readies += 1
            if isServed { try promise(readies <= owed, "ready \(readies) times, asked \(owed) times") }
        case .commandComplete(let tag) where tag.hasPrefix("SET \(mark)"):
            if application != nil { application = String(tag.dropFirst(4)) }
        case .error(let report):
            sawFatal = sawFatal || report.isFatal
            isRefused = isRefused || report.code == "53300"
            try promise(report.code != "57014" || hasCancelled || !isServed, "a statement is cancelled that was not")
        case .dataRow(let values): if isServed { try look(values) }
        default: break
        }
    }

    private func password(_ body: [UInt8]) {
        var writer = WireWriter()
        FrontendMessage.password(body).encode(into: &writer)
        // Before anything that it wants to say once it is in.
        output = writer.bytes + output
    }

    /// A row says what was asked, and as what application.
    private func look(_ values: [[UInt8]?]) throws(Finding) {
        guard values.count == 2, let first = values[0], let second = values[1] else { return }
        // The last number is the one of the Bind.
        let numbers = String(decoding: first, as: UTF8.self).split(separator: "#").compactMap { Int($0) }
        if let number = numbers.last {
            try promise(number > answered, "\(number) is answered behind \(answered)")
            answered = number
            if let statement = bound[number] {
                try promise(numbers.first == statement, "\(number) ran \(numbers[0]) in place of \(statement)")
            }
        }
        let seen = String(decoding: second, as: UTF8.self)
        if let application {
            try promise(seen == application, "the application is \(seen), and was set to \(application)")
        }
    }
}

extension FrontendMessage {
    fileprivate var endsInReady: Bool {
        switch self {
        case .query, .sync: true
        default: false
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first, count >= wanted.count else { return false }
        for start in 0...(count - wanted.count)
        where self[start] == first && self[start..<start + wanted.count].elementsEqual(wanted) {
            return true
        }
        return false
    }
}
