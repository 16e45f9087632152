// Method: a real cluster of a primary and two replicas, the real proxy, and clients through its read port: psql and pgbench as they are, and one of our own that sends
// what no driver would. One yard serves all tests of the suite, one after the other.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Records
import Synchronization
import Testing

@Suite(.serialized)
final class ReadPortTests {
    let yard: Yard
    let password: String

    init() throws {
        yard = try ReadYard.shared.get()
        password = try yard.readerPassword
    }

    func client(_ more: [StartupMessage.Parameter] = [], version: ProtocolVersion = .oldest) throws
        -> WireClient
    {
        let client = try WireClient(port: yard.readPort)
        try client.login(user: "apm_reader", password: password, version: version, more)
        return client
    }

    /// Standard output and standard error together, and the status.
    func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, text: String) {
        try outcome(of: program, arguments, environment: yard.reader)
    }

    // MARK: Clients as they are

    @Test
    func psqlDescribesATable() throws {
        let outcome = try run("psql", ["-X", "-c", "\\d apirequests", "-c", "SELECT pg_is_in_recovery()", "-At"])
        #expect(outcome.status == 0, "\(outcome.text)")
        #expect(outcome.text.contains("status_code"))
        #expect(outcome.text.hasSuffix("t\n"))
    }

    @Test
    func psqlCopiesOut() throws {
        let outcome = try run("psql", ["-XAt", "-c", "\\copy (SELECT g FROM generate_series(1, 100000) g) to stdout"])
        #expect(outcome.status == 0)
        #expect(outcome.text.split(separator: "\n").count == 100_000)
    }

    @Test
    func aWriteIsRefusedByTheServer() throws {
        let outcome = try run("psql", ["-Xv", "VERBOSITY=sqlstate", "-c", "CREATE TABLE t (a int)"])
        #expect(outcome.status != 0)
        #expect(outcome.text.contains("25006"), "\(outcome.text)")
    }

    @Test
    func controlCEndsAStatementAndNotTheSession() throws {
        let client = try client()
        let key = try #require(client.key)
        try client.send(.query(Array("SELECT pg_sleep(60)".utf8)))
        let begun = ContinuousClock.now
        try waitUntil("the statement runs", within: 10) { try self.sleepers() == 1 }
        let second = try WireClient(port: yard.readPort)
        try second.send(.cancel(key))
        let messages = try client.untilReady()
        #expect(ContinuousClock.now - begun < .seconds(20))
        #expect(throws: Report.self) { try WireClient.rows(of: messages) }
        guard case .error(let report)? = messages.first(where: { if case .error = $0 { true } else { false } }) else {
            Issue.record("no error: \(messages)")
            return
        }
        #expect(report.code == "57014")
        #expect(try client.query("SELECT 1") == [["1"]])
    }

    @Test
    func aWrongKeyCancelsNothing() throws {
        let client = try client()
        var key = try #require(client.key)
        key.secret[0] ^= 1
        try client.send(.query(Array("SELECT pg_sleep(1.5)".utf8)))
        try waitUntil("the statement runs", within: 10) { try self.sleepers() == 1 }
        try WireClient(port: yard.readPort).send(.cancel(key))
        #expect(try WireClient.rows(of: try client.untilReady()).count == 1)
    }

    func sleepers() throws -> Int {
        try yard.cluster.nodes.map { node in
            Int(
                try node.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND usename = 'apm_reader'"
                )
            ) ?? 0
        }.reduce(0, +)
    }

    @Test(arguments: ["simple", "extended", "prepared"])
    func pgbenchReads(mode: String) throws {
        let arguments = ["-S", "-n", "-M", mode, "-c", "8", "-j", "2", "-t", "200"]
        let outcome = try run("pgbench", arguments)
        #expect(outcome.status == 0, "\(outcome.text)")
        #expect(outcome.text.contains("transactions actually processed: 1600/1600"), "\(outcome.text)")
        #expect(outcome.text.contains("number of failed transactions: 0"))
    }

    @Test
    func pgbenchConnectsEachTime() throws {
        let outcome = try run("pgbench", ["-S", "-n", "-C", "-c", "4", "-t", "25"])
        #expect(outcome.text.contains("transactions actually processed: 100/100"), "\(outcome.text)")
    }

    // MARK: Who is let in

    @Test(arguments: [("apm_reader", "wrong", "apm", "28P01"), ("nobody", "wrong", "apm", "28P01")])
    func wrongPasswordsAndNames(user: String, password: String, database: String, code: String) throws {
        let report = #expect(throws: Report.self) {
            try WireClient(port: yard.readPort).login(user: user, password: password, database: database)
        }
        #expect(report?.code == code)
    }

    @Test
    func anotherDatabaseIsNotServed() throws {
        let report = #expect(throws: Report.self) {
            try WireClient(port: yard.readPort).login(user: "apm_reader", password: password, database: "postgres")
        }
        #expect(report?.code == "3D000")
    }

    @Test
    func encryptionIsDeclinedWhereThereIsNone() throws {
        let client = try WireClient(port: yard.readPort)
        try client.send(.requestGSSEncryption)
        #expect(try client.byte() == UInt8(ascii: "N"))
        try client.send(.requestTLS)
        #expect(try client.byte() == UInt8(ascii: "N"))
        try client.login(user: "apm_reader", password: password)
        #expect(try client.query("SELECT 1") == [["1"]])
    }

    @Test
    func versionsAreNegotiated() throws {
        let newest = try client(version: .newest)
        #expect(newest.negotiated == nil && newest.key?.secret.count == 32)
        let later = try client([.init("_pq_.what", "1")], version: ProtocolVersion(3, 7))
        #expect(later.negotiated == .negotiateProtocolVersion(.newest, unknownOptions: ["_pq_.what"]))
        #expect(try later.query("SELECT 1") == [["1"]])
    }

    // MARK: Whose answer it is

    /// Many clients at once, some of whom go in the middle of an answer, cancel, or send two statements at once: each answer has the name of its asker in it.
    @Test
    func noAnswerGoesToTheWrongClient() throws {
        let failures = Failures()
        let (port, password) = (yard.readPort, self.password)
        DispatchQueue.concurrentPerform(iterations: 16) { worker in
            do {
                for round in 0..<6 {
                    let client = try WireClient(port: port)
                    let name = StartupMessage.Parameter("application_name", "w\(worker % 3)")
                    try client.login(user: "apm_reader", password: password, [name])
                    for step in 0..<8 {
                        let mark = "w\(worker)-\(round)-\(step)"
                        switch (worker + step) % 4 {
                        case 0:
                            let rows = try client.query("SELECT '\(mark)', g FROM generate_series(1, 500) g")
                            if rows.count != 500 || !rows.allSatisfy({ $0[0] == mark }) { failures.add(mark) }
                        case 1:
                            try client.send(
                                .query(Array("SELECT '\(mark)'".utf8)),
                                .query(Array("SELECT '\(mark)b'".utf8))
                            )
                            if try WireClient.rows(of: try client.untilReady()) != [[mark]] { failures.add(mark) }
                            if try WireClient.rows(of: try client.untilReady()) != [["\(mark)b"]] { failures.add(mark) }
                        case 2:
                            try client.send(
                                .parse(.init(name: "s\(step)", query: Array("SELECT '\(mark)', $1".utf8))),
                                .bind(.init(statement: "s\(step)", values: [Array(mark.utf8)])),
                                .execute(portal: "", rows: 0),
                                .sync
                            )
                            if try WireClient.rows(of: try client.untilReady()) != [[mark, mark]] {
                                failures.add(mark)
                            }
                        default:
                            if let key = client.key { try WireClient(port: port).send(.cancel(key)) }
                            if let rows = try? client.query("SELECT '\(mark)'"), rows != [[mark]] { failures.add(mark) }
                        }
                    }
                    // Goes in the middle of a large answer, or of a transaction.
                    let last =
                        round % 2 == 0 ? "SELECT repeat('x', 1000) FROM generate_series(1, 5000)" : "BEGIN; SELECT 1"
                    try client.send(.query(Array(last.utf8)))
                    _ = try client.next()
                }
            } catch {
                failures.add("\(worker): \(error)")
            }
        }
        #expect(failures.all == [])
    }

    private final class Failures: @unchecked Sendable {
        // Sendable because the lock is held wherever the list is touched.
        private let lock = NSLock()
        private var list: [String] = []

        func add(_ text: String) {
            lock.withLock { list.append(text) }
        }

        var all: [String] { lock.withLock { list } }
    }

    // MARK: Bad input

    @Test(
        arguments: [
            [0, 0, 0, 7, 0, 0, 0, 0], [0x7F, 0xFF, 0xFF, 0xFF], [0, 0, 0, 8, 0, 2, 0, 0], [0, 0, 0, 9, 0, 3, 0, 0, 1],
            [0, 0, 0, 8, 0, 3, 0, 0], [71, 69, 84, 32, 47, 32, 72, 84],
        ] as [[UInt8]]
    )
    func aMalformedFirstPacketEndsTheConnection(bytes: [UInt8]) throws {
        let client = try WireClient(port: yard.readPort)
        try client.send(bytes)
        if case .error(let report)? = try client.next() { #expect(report.isFatal) }
        #expect(try client.next() == nil)
    }

    @Test(
        arguments: [
            [0x7A, 0, 0, 0, 4], [81, 0, 0, 0, 3], [81, 0x7F, 0xFF, 0xFF, 0xFF], [66, 0, 0, 0, 5, 1], [80, 0, 0, 0, 4],
            [68, 0, 0, 0, 6, 65, 0], [70, 0, 0, 0, 4],
        ] as [[UInt8]]
    )
    func aMalformedMessageEndsTheConnection(bytes: [UInt8]) throws {
        let client = try client()
        try client.send(bytes)
        #expect(throws: Report.self) { try client.untilReady() }
        #expect(try client.next() == nil)
        #expect(try self.client().query("SELECT 1") == [["1"]])
    }

    // MARK: Nodes come and go

    /// Reads with pgbench for as long as `events` happen, and holds against it every error that a client saw. (One run of a number of transactions after another,
    /// and not a time: the signal that would end pgbench is blocked in what Foundation starts.)
    private func readWhile(_ events: () throws -> Void) throws {
        let transactions = 500
        let environment = ProcessInfo.processInfo.environment.merging(try yard.reader) { $1 }
        let isOver = Mutex(false)
        let runs = Mutex<[(status: Int32, text: String)]>([])
        let end = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            while !isOver.withLock({ $0 }) {
                let bench = Process()
                let output = Pipe()
                bench.executableURL = URL(filePath: "/usr/bin/env")
                bench.arguments = [
                    "pgbench", "-S", "-n", "-M", "simple", "-c", "16", "-j", "2", "-t", "\(transactions)",
                ]
                bench.environment = environment
                bench.standardOutput = output
                bench.standardError = output
                do {
                    try bench.run()
                    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
                    bench.waitUntilExit()
                    runs.withLock { $0.append((bench.terminationStatus, text)) }
                } catch {
                    runs.withLock { $0.append((-1, "\(error)")) }
                    break
                }
            }
            end.signal()
        }
        let outcome = Result { try events() }
        isOver.withLock { $0 = true }
        end.wait()
        let all = 16 * transactions
        for run in runs.withLock({ $0 }) {
            #expect(run.status == 0, "\(run.text)")
            #expect(run.text.contains("transactions actually processed: \(all)/\(all)"), "\(run.text)")
            #expect(run.text.contains("number of failed transactions: 0"), "\(run.text)")
        }
        try outcome.get()
    }

    private func waitForReads(_ count: Double) throws {
        let before = try yard.metric("forebay_read_transactions_total")
        try waitUntil("reads go on", within: 60) {
            try yard.metric("forebay_read_transactions_total") > before + count
        }
    }

    @Test
    func aReplicaThatIsKilledCostsNobodyAnError() throws {
        let replica = try #require(yard.cluster.replicas.last)
        let reruns = try yard.metric("forebay_read_reruns_total")
        try readWhile {
            for _ in 1...3 {
                try waitForReads(3000)
                try replica.kill()
                try replica.start()
            }
        }
        // Else the kills were none that anybody would have felt.
        #expect(try yard.metric("forebay_read_reruns_total") > reruns)
    }

    @Test
    func aReplicaThatHangsCostsNobodyAnError() throws {
        let replica = try #require(yard.cluster.replicas.last)
        let reruns = try yard.metric("forebay_read_reruns_total")
        try readWhile {
            try waitForReads(2000)
            replica.pause()
            try waitUntil("those who wait there leave", within: 30) {
                try yard.metric("forebay_read_reruns_total") > reruns
            }
            try waitForReads(2000)
            replica.resume()
        }
    }

    /// Settings are put on a backend before its client's first statement there: whoever waits for that leaves a node that hangs, too.
    @Test
    func whoHasOtherSettingsLeavesAReplicaThatHangs() throws {
        let replica = try #require(yard.cluster.replicas.last)
        let clients = try (0..<24).map { try client([.init("application_name", "hang-\($0)")]) }
        for client in clients { #expect(try client.query("SELECT 1") == [["1"]]) }
        replica.pause()
        defer { replica.resume() }
        for client in clients { try client.send(.query(Array("SHOW application_name".utf8))) }
        for (number, client) in clients.enumerated() {
            #expect(try WireClient.rows(of: try client.untilReady()) == [["hang-\(number)"]])
        }
    }

    /// Each round writes an event over HTTP and reads it by its receipt.
    @Test
    func oneReadsOnesOwnWrites() throws {
        let client = try client()
        var onReplicas = 0
        for round in 0..<40 {
            let event = """
                {"time": "2026-01-01T00:00:00Z", "service": "own", "endpoint": "/\(round)", "method": "GET", "status_code": 200, "latency_ms": 1}
                """
            let answer = try #require(yard.ingest.post("/v1/ingest/apirequests", body: event, type: "application/json"))
            #expect(answer.status == 200, "\(answer.body)")
            let receipt = try #require(answer.body.split(separator: "\"").first { Position(receipt: $0) != nil })
            _ = try client.query("SET forebay.after = '\(receipt)'")
            let rows = try client.query(
                "SELECT count(*), pg_is_in_recovery() FROM apirequests WHERE service = 'own' AND endpoint = '/\(round)'"
            )
            #expect(rows[0][0] == "1")
            if rows[0][1] == "t" { onReplicas += 1 }
        }
        #expect(onReplicas > 0)
        #expect(try client.query("SHOW forebay.after") != [[""]])
        _ = try client.query("RESET forebay.after")
        #expect(try client.query("SHOW forebay.after") == [[""]])
    }

    @Test
    func aPositionThatNobodyHasIsAnError() throws {
        // Where nobody was let in yet, a node has to take the settings first, and none would show the position.
        for _ in 0..<8 { _ = try self.client() }
        let client = try client([.init("forebay.after", "00000000-0000-0000-0000-000000000001.0.5")])
        let report = #expect(throws: Report.self) { try client.query("SELECT 1") }
        #expect(report?.code == "58000")
        _ = try client.query("RESET forebay.after")
        #expect(try client.query("SELECT 1") == [["1"]])
        _ = try client.query("BEGIN")
        let within = #expect(throws: Report.self) { try client.query("SET forebay.after = ''") }
        #expect(within?.code == "25001")
    }

    @Test
    func whatFollowsAStatementThatNoNodeMayAnswerIsAnswered() throws {
        let client = try client()
        _ = try client.query("SET forebay.after = '00000000-0000-0000-0000-000000000001.0.5'")
        try client.send(
            .query(Array("SELECT 1".utf8)),
            .query(Array("RESET forebay.after".utf8)),
            .query(Array("SELECT 2".utf8))
        )
        let report = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
        #expect(report?.code == "58000")
        #expect(try WireClient.rows(of: try client.untilReady()) == [])
        #expect(try WireClient.rows(of: try client.untilReady()) == [["2"]])
    }

    @Test
    func theStatusTellsOfTheReadPort() throws {
        _ = try client().query("SELECT 1")
        #expect(try yard.metric("forebay_read_transactions_total") > 0)
        #expect(try yard.metric("forebay_read_backend_faults_total") == 0)
    }

    /// The last test: the cluster is another one afterwards. The primary is killed, a replica takes its place, and the other replica is left behind.
    @Test
    func aPromotionCostsNobodyAnError() throws {
        let client = try client()
        #expect(client.parameters["in_hot_standby"] == "on")
        let promoted = try #require(yard.cluster.replicas.first)
        try readWhile {
            try waitForReads(2000)
            try yard.cluster.primary.kill()
            try waitForReads(2000)
            try promoted.promote()
            yard.primary = promoted
            try waitForReads(2000)
        }
        try waitUntil("the replica that was left behind is not read from", within: 60) {
            _ = try client.query("SELECT 1")
            return try client.query("SELECT pg_is_in_recovery()") == [["f"]]
        }
        #expect(client.parameters["in_hot_standby"] == "off")
    }
}

/// The yard of the suite: made when it is first asked for, removed when the process ends.
private enum ReadYard {
    // One test at a time uses it, as the suite is serialized; the concurrent one only reads its ports.
    nonisolated(unsafe) static let shared: Result<Yard, any Error> = Result {
        atexit { try? ReadYard.shared.get().remove() }
        let programs = try #require(DrillTests.programs).path()
        let yard = try Yard(Yard.Plan(replicas: 2), programs: programs)
        try capture("pgbench", ["-i", "-q", "-s", "1"], environment: yard.administrator)
        try yard.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO apm_reader")
        try yard.startProxy()
        try yard.waitForStreams()
        try yard.cluster.waitForReplicas()
        return yard
    }
}
