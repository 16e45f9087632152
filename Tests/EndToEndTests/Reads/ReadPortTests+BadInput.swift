// Method: every state that a client of the read port can be in, times everything that is no message, over sockets; then clients that are slow, many or
// large. What the decoder makes of each byte is for the tests of PostgresWire; here it is the connection that must end, and the others that must not notice.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    /// Where a client stands when the bad bytes come.
    enum Stage: String, CaseIterable, Sendable {
        case greeting, loggingIn, proving, idle, inTransaction, inFailedTransaction, withinBatch, skippingToSync,
            pinned, copyingOut, waiting

        /// Beginning with it, the bytes have a tag.
        var isTagged: Bool { self != .greeting }
    }

    struct BadBytes: Sendable, CustomTestStringConvertible {
        var name: String
        var bytes: [UInt8]
        /// Something is missing, so that only the end of the client's side tells.
        var isCut = false

        var testDescription: String { name }

        static let tagged = [
            BadBytes(name: "a length below its own", bytes: [0x51, 0, 0, 0, 3]),
            BadBytes(name: "a length below zero", bytes: [0x51, 0xFF, 0xFF, 0xFF, 0xFF]),
            BadBytes(name: "a length of two gigabytes", bytes: [0x51, 0x7F, 0xFF, 0xFF, 0xFF]),
            BadBytes(name: "no such message", bytes: [0x7A, 0, 0, 0, 4]),
            BadBytes(name: "a header that is cut", bytes: [0x51, 0, 0], isCut: true),
            BadBytes(name: "a body that is cut", bytes: [0x51, 0, 0, 0, 100, 0x53, 0x45], isCut: true),
        ]

        static let first = [
            BadBytes(name: "a length below any packet's", bytes: [0, 0, 0, 7, 0, 3, 0, 0]),
            BadBytes(name: "a length beyond 10,000", bytes: [0, 0, 0x27, 0x11, 0, 3, 0, 0]),
            BadBytes(name: "a length of two gigabytes", bytes: [0x7F, 0xFF, 0xFF, 0xFF]),
            BadBytes(name: "another major version", bytes: [0, 0, 0, 9, 0, 4, 0, 0, 0]),
            BadBytes(name: "a length that is cut", bytes: [0, 0], isCut: true),
            BadBytes(name: "a packet that is cut", bytes: [0, 0, 0, 40, 0, 3, 0, 0, 0x75], isCut: true),
        ]
    }

    @Test(arguments: Stage.allCases)
    func badBytesEndTheConnectionAndNoOther(stage: Stage) throws {
        let bystander = try client()
        let before = try yard.metric("forebay_read_clients")
        for bad in stage.isTagged ? BadBytes.tagged : BadBytes.first {
            try autoreleasing {
                let client = try WireClient(port: yard.readPort)
                try bring(client, to: stage)
                try client.send(bad.bytes)
                guard !bad.isCut else { return }
                var last: BackendMessage?
                while let message = try client.next() { last = message }
                guard case .error(let report) = last else {
                    Issue.record("\(stage), \(bad.name): the last word is \(String(describing: last))")
                    return
                }
                #expect(report.isFatal && report.code == "08P01", "\(stage), \(bad.name): \(report)")
            }
            #expect(try bystander.query("SELECT 1") == [["1"]], "\(stage), \(bad.name)")
        }
        try waitUntil("the clients are gone", within: 10) { try yard.metric("forebay_read_clients") <= before }
        #expect(try yard.metric("forebay_read_backend_faults_total") == 0)
    }

    /// The client is closed when it goes out of scope.
    private func autoreleasing(_ body: () throws -> Void) rethrows { try body() }

    private func bring(_ client: WireClient, to stage: Stage) throws {
        func login() throws { try client.login(user: "apm_reader", password: password) }
        switch stage {
        case .greeting: break
        case .loggingIn, .proving:
            let names = [StartupMessage.Parameter("user", "apm_reader"), .init("database", Yard.database)]
            try client.send(.startup(StartupMessage(parameters: names)))
            _ = try client.next()
            guard stage == .proving else { return }
            try client.send(.password(ScramClient(password: password, nonce: [1, 2, 3]).initialResponse))
            _ = try client.next()
        case .idle: try login()
        case .inTransaction:
            try login()
            _ = try client.query("BEGIN; SELECT 1")
        case .inFailedTransaction:
            try login()
            _ = try client.query("BEGIN")
            #expect(throws: Report.self) { try client.query("SELECT 1 / 0") }
        case .withinBatch:
            try login()
            try client.send(.parse(.init(name: "s", query: Array("SELECT 1".utf8))), .flush)
            #expect(try client.next() == .parseComplete)
        case .skippingToSync:
            // It is the read port that has refused something, not a server: nobody has the position in time.
            try login()
            _ = try client.query("SET forebay.after = '\(Self.nowhere)'")
            try client.send(.parse(.init(query: Array("SELECT 1".utf8))), .flush)
            guard case .error = try client.next() else { throw YardFault("a position that nobody has was read") }
        case .pinned:
            try login()
            _ = try client.query("SELECT set_config('app.tenant', '7', false)")
        case .copyingOut:
            try login()
            try client.send(.query(Array("COPY (SELECT generate_series(1, 10)) TO STDOUT".utf8)))
        case .waiting:
            try login()
            _ = try client.query("SET forebay.after = '\(Self.nowhere)'")
            try client.send(.query(Array("SELECT 1".utf8)))
        }
    }

    private static let nowhere = "00000000-0000-0000-0000-000000000001.0.5"

    // MARK: Logging in

    /// Bodies of the first answer to a challenge, and the second where the first one is taken.
    @Test(arguments: [
        ("SCRAM-SHA-256-PLUS", "n,,n=,r=abcdefghij", nil), ("MD5", "n,,n=,r=abcdefghij", nil),
        ("SCRAM-SHA-256", "", nil), ("SCRAM-SHA-256", "n,,", nil), ("SCRAM-SHA-256", "n,,n=", nil),
        ("SCRAM-SHA-256", "n,,r=abc,n=", nil), ("SCRAM-SHA-256", "n,a=me,n=,r=abcdefghij", nil),
        ("SCRAM-SHA-256", "p=tls-unique,,n=,r=abcdefghij", nil), ("SCRAM-SHA-256", "x,,n=,r=abcdefghij", nil),
        ("SCRAM-SHA-256", "n,,n=,r=" + String(repeating: "a", count: 5000), nil),
        ("SCRAM-SHA-256", "n,,n=,r=abcdefghij", ""), ("SCRAM-SHA-256", "n,,n=,r=abcdefghij", "c=biws"),
        ("SCRAM-SHA-256", "n,,n=,r=abcdefghij", "c=biws,r=abcdefghij,p=AAAA"),
        ("SCRAM-SHA-256", "n,,n=,r=abcdefghij", "c=eSws,r=abcdefghij,p=AAAA"),
    ])
    func malformedScramIsRefused(mechanism: String, first: String, second: String?) throws {
        let client = try WireClient(port: yard.readPort)
        try bring(client, to: .loggingIn)
        var writer = WireWriter()
        writer.text(mechanism)
        writer.value(Array(first.utf8))
        try client.send(.password(writer.bytes))
        if let second {
            guard case .authentication(.saslContinue) = try client.next() else { throw YardFault("no challenge") }
            try client.send(.password(Array(second.utf8)))
        }
        guard case .error(let report)? = try client.next() else { throw YardFault("no error") }
        #expect(report.isFatal && ["08P01", "28P01"].contains(report.code), "\(report)")
        #expect(try client.next() == nil)
    }

    @Test(arguments: [(200, 1), (4000, 1), (1, 9000), (1, 20_000)])
    func startupPacketsWithoutMeasureAreRefused(parameters: Int, bytes: Int) throws {
        let client = try WireClient(port: yard.readPort)
        let many = (0..<parameters).map { StartupMessage.Parameter("a\($0)", String(repeating: "x", count: bytes)) }
        // What has been refused by its length is not read to its end, and the rest may not get through.
        _ = try? client.send(.startup(StartupMessage(parameters: [.init("user", "apm_reader")] + many)))
        let answer = try? client.next()
        if bytes == 9000 {
            // Long, and within the limit: it is for the login to say what becomes of it.
            #expect(answer == .authentication(.sasl(mechanisms: [ScramVerifier.mechanism])))
        } else if case .error(let report)? = answer {
            #expect(report.isFatal && report.code == "08P01", "\(report)")
        }
        #expect(try self.client().query("SELECT 1") == [["1"]])
    }

    @Test
    func whoNeverEndsTheLoginIsSentAway() throws {
        let client = try WireClient(port: yard.readPort)
        try bring(client, to: .loggingIn)
        // The default of read.login_timeout.
        let begun = ContinuousClock.now
        guard case .error(let report)? = try client.next() else { throw YardFault("no error") }
        #expect(report.isFatal && report.code == "08006", "\(report)")
        #expect(ContinuousClock.now - begun > .seconds(5))
        #expect(try client.next() == nil)
    }

    /// A byte at a time is a message all the same.
    @Test
    func aClientThatTypesSlowlyIsServed() throws {
        let client = try client()
        var writer = WireWriter()
        FrontendMessage.query(Array("SELECT 'slow'".utf8)).encode(into: &writer)
        FrontendMessage.query(Array("SELECT 'er'".utf8)).encode(into: &writer)
        for byte in writer.bytes { try client.send([byte]) }
        #expect(try WireClient.rows(of: try client.untilReady()) == [["slow"]])
        #expect(try WireClient.rows(of: try client.untilReady()) == [["er"]])
    }

    // MARK: Memory

    private func resident() throws -> Int { try #require(yard.proxy).residentBytes }

    /// A result of 100 MB waits at the server, and not in the proxy.
    @Test
    func aClientThatDoesNotReadCostsLittle() throws {
        let lazy = try client()
        let before = try resident()
        try lazy.send(.query(Array("SELECT repeat('x', 1000) FROM generate_series(1, 100000)".utf8)))
        let other = try client()
        for _ in 0..<50 {
            #expect(try other.query("SELECT 1") == [["1"]])
            usleep(20_000)
        }
        #expect(try resident() - before < 32 << 20)
        var rows = 0
        while let message = try lazy.next() {
            if case .dataRow = message { rows += 1 }
            if case .readyForQuery = message { break }
        }
        #expect(rows == 100_000)
        #expect(try resident() - before < 64 << 20)
    }

    private static let endless = 2_000_000

    /// Neither does one that asks on and on for what the read port answers by itself, and never reads it.
    @Test
    func aClientThatOnlyAsksIsNotListenedTo() throws {
        let client = try client()
        let before = try resident()
        var writer = WireWriter()
        for _ in 0..<1000 { FrontendMessage.query(Array("SHOW forebay.after".utf8)).encode(into: &writer) }
        var sent = 0
        client.limitSending(to: 1)
        // Until the sockets of both ways and the port's own buffer are full.
        while sent < Self.endless, (try? client.send(writer.bytes)) != nil { sent += 1000 }
        #expect(sent < Self.endless, "everything was listened to")
        #expect(try resident() - before < 32 << 20)
        #expect(try self.client().query("SELECT 1") == [["1"]])
    }

    /// The bound of issue and README is 20 KiB for each of ten thousand; here there are fewer.
    @Test
    func idleConnectionsAreSmall() throws {
        var clients = [try client()]
        _ = try clients[0].query("SELECT 1")
        let before = try resident()
        let count = 500
        for _ in 0..<count {
            let client = try client()
            _ = try client.query("SELECT 1")
            clients.append(client)
        }
        let each = (try resident() - before) / count
        #expect(each < 20 << 10, "\(each) bytes each")
    }
}
