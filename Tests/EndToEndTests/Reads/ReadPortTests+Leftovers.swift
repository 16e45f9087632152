// Method: one client leaves something on a connection to a node that another kind of client would trip over; then many others look whether they do. Which
// connection a client is given is not its to say, so every look is repeated.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    private static let zones = ["UTC", "Asia/Tokyo", "America/New_York"]

    private func zoned(_ zone: String, at port: Int? = nil) throws -> WireClient {
        let client = try WireClient(port: port ?? yard.readPort)
        try client.login(user: "apm_reader", password: password, [.init("TimeZone", zone)])
        return client
    }

    private func prepare(_ text: String, as name: String = "s", by client: WireClient) throws {
        try client.send(.parse(.init(name: name, query: Array(text.utf8))), .sync)
        _ = try WireClient.rows(of: try client.untilReady())
    }

    private func rows(of name: String = "s", by client: WireClient) throws -> [[String?]] {
        try client.send(.bind(.init(statement: name)), .execute(portal: "", rows: 0), .sync)
        return try WireClient.rows(of: try client.untilReady())
    }

    // MARK: Settings

    /// The list of settings does not show those with a dot.
    @Test
    func aSettingWithADotOfTheStartupPacketIsNobodyElses() throws {
        let owner = try client([.init("options", "-c leftovers.tenant=7")])
        for round in 0..<5 {
            _ = try owner.query("SET work_mem = '\(2000 + round)kB'")
            for _ in 0..<10 {
                #expect(try client().query("SELECT current_setting('leftovers.tenant', true)") != [["7"]])
            }
            #expect(try owner.query("SELECT current_setting('leftovers.tenant')") == [["7"]])
        }
    }

    @Test(arguments: [
        "\"leftovers.house\"", "\"leftovers\".\"house\"", "leftovers . house", "leftovers/**/.\"house\"",
        "U&\"leftovers\\002Ehouse\"",
    ])
    func aSettingWithADotIsSeenHoweverItIsWritten(name: String) throws {
        let owner = try client()
        _ = try owner.query("SET \(name) = '7'")
        for _ in 0..<10 {
            #expect(try client().query("SELECT current_setting('leftovers.house', true)") != [["7"]])
        }
        #expect(try owner.query("SELECT current_setting('leftovers.house')") == [["7"]])
    }

    // MARK: Statements that were read under other settings

    private static let midnights = [
        "UTC": "1717200000", "Asia/Tokyo": "1717167600", "America/New_York": "1717214400",
    ]

    /// A time without a zone becomes a constant when its statement is prepared.
    private func midnight(_ mark: String) -> String {
        "SELECT extract(epoch FROM timestamptz '2024-06-01 00:00')::bigint, '\(mark)'"
    }

    @Test
    func aStatementIsNotSharedAcrossWhatItWasReadUnder() throws {
        for round in 0..<5 {
            let text = midnight("shared-\(round)")
            for zone in Self.zones.shuffled() {
                let client = try zoned(zone)
                try prepare(text, by: client)
                #expect(try rows(by: client) == [[Self.midnights[zone], "shared-\(round)"]], "\(zone)")
            }
        }
    }

    @Test(arguments: [
        "SET LOCAL TimeZone = 'Asia/Tokyo'", "SET TimeZone = 'Asia/Tokyo'", "/* a */ SET LOCAL TIME ZONE 'Asia/Tokyo'",
    ])
    func aSettingWithinATransactionSpoilsNoStatement(setting: String) throws {
        for round in 0..<5 {
            let mark = "\(setting.utf8.count)-\(round)"
            let first = try zoned("UTC")
            // Read in Tokyo's zone by Parse, and by Bind on a connection that does not know it.
            try prepare(midnight("\(mark)-bound"), as: "bound", by: first)
            _ = try first.query("BEGIN")
            _ = try first.query(setting)
            try prepare(midnight("\(mark)-parsed"), as: "parsed", by: first)
            _ = try? rows(of: "bound", by: first)
            _ = try? rows(of: "parsed", by: first)
            _ = try first.query("ROLLBACK")
            for name in ["parsed", "bound"] {
                for _ in 0..<5 {
                    let other = try zoned("UTC")
                    try prepare(midnight("\(mark)-\(name)"), by: other)
                    #expect(try rows(by: other) == [[Self.midnights["UTC"], "\(mark)-\(name)"]])
                }
            }
        }
    }

    /// A statement that is older than its client's settings is prepared where it is not known yet; that one is not what others ask for.
    @Test
    func aStatementOlderThanItsClientsSettingsSpoilsNoOther() throws {
        let clients = try (0..<12).map { _ in try zoned("UTC") }
        for (number, client) in clients.enumerated() { try prepare(midnight("old-\(number)"), by: client) }
        for client in clients { _ = try client.query("SET TimeZone = 'Asia/Tokyo'") }
        for _ in 0..<3 {
            for client in clients.shuffled() { _ = try rows(by: client) }
        }
        for _ in 0..<3 {
            for number in clients.indices.shuffled() {
                let other = try zoned("UTC")
                try prepare(midnight("old-\(number)"), by: other)
                #expect(try rows(by: other) == [[Self.midnights["UTC"], "old-\(number)"]])
            }
        }
    }

    // MARK: Statements that are out of date

    private func makeTable(_ name: String) throws {
        try yard.query("CREATE TABLE \(name) (a int); INSERT INTO \(name) VALUES (1)")
        try yard.query("GRANT SELECT ON \(name) TO apm_reader")
        try waitForColumns(1, of: name)
    }

    private func waitForColumns(_ count: Int, of name: String) throws {
        try waitUntil("every node shows the table", within: 30) {
            try yard.cluster.nodes.filter { $0.process != nil }.allSatisfy { node in
                try node.execute(
                    "SELECT count(*) FROM information_schema.columns WHERE table_name = '\(name)'",
                    database: Yard.database
                ) == "\(count)"
            }
        }
    }

    /// What a driver does when a statement's result is another one than it was.
    private func prepareAnew(_ text: String, by client: WireClient) throws -> [[String?]] {
        let report = #expect(throws: Report.self) { try rows(by: client) }
        #expect(report?.code == "0A000")
        try client.send(.close(.statement, name: "s"), .sync)
        _ = try client.untilReady()
        try prepare(text, by: client)
        return try rows(by: client)
    }

    @Test
    func aStatementWhoseTableHasChangedCanBePreparedAnew() throws {
        try makeTable("leftovers_open")
        let text = "SELECT * FROM leftovers_open"
        let client = try client()
        try prepare(text, by: client)
        // Wherever it goes.
        for _ in 0..<20 { #expect(try rows(by: client) == [["1"]]) }
        try yard.query("ALTER TABLE leftovers_open ADD COLUMN b int")
        try waitForColumns(2, of: "leftovers_open")
        #expect(try prepareAnew(text, by: client) == [["1", nil]])
        for _ in 0..<20 {
            let other = try self.client()
            try prepare(text, by: other)
            #expect(try rows(by: other) == [["1", nil]])
        }
    }

    // MARK: A session that keeps its connection

    /// A second proxy in front of the same nodes, whose sessions keep their connection.
    private func withKeptSessions(_ body: (Int) throws -> Void) throws {
        let port = try LoopbackPort.free()
        let directory = "\(yard.directory)/kept-\(port)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var text = try String(contentsOfFile: yard.configuration, encoding: .utf8)
        text = text.replacing(
            "\"127.0.0.1:\(yard.readPort)\"]",
            with: "\"127.0.0.1:\(port)\"], pool: session, idle_timeout: 2s"
        )
        for other in [yard.httpPort, yard.tcpPort, yard.opsPort] {
            text = text.replacing(":\(other)\"", with: ":\(try LoopbackPort.free())\"")
        }
        text = text.replacing("path: \(yard.queueDirectory)", with: "path: \(directory)/queue")
        try Data(text.utf8).write(to: URL(filePath: "\(directory)/forebay.yaml"))
        let proxy = try ChildProcess(
            "\(yard.programs)/forebay",
            ["serve", "--config", "\(directory)/forebay.yaml"],
            name: "forebay with kept sessions",
            log: "\(directory)/forebay.log"
        )
        defer { proxy.crash() }
        try waitUntil("the second proxy lets clients in", within: 60) {
            guard let client = try? WireClient(port: port) else { return false }
            return (try? client.login(user: "apm_reader", password: password)) != nil
        }
        try body(port)
    }

    @Test(arguments: ["DISCARD ALL", "DEALLOCATE ALL"])
    func aPinnedSessionPreparesAnewWhatItHasGivenUp(text: String) throws {
        let client = try client()
        _ = try client.query("SELECT set_config('leftovers.pin', '1', false)")
        try giveUpAndPrepareAnew(text, by: client)
    }

    private func giveUpAndPrepareAnew(_ text: String, by client: WireClient) throws {
        for _ in 0..<3 {
            try prepare("SELECT 'given up'", by: client)
            #expect(try rows(by: client) == [["given up"]])
            _ = try client.query(text)
            let report = #expect(throws: Report.self) { try rows(by: client) }
            #expect(report?.code == "26000")
            try prepare("SELECT 'given up'", by: client)
            #expect(try rows(by: client) == [["given up"]])
        }
    }

    @Test
    func aKeptSessionKeepsToItsBook() throws {
        try withKeptSessions { port in
            let client = try zoned("UTC", at: port)
            for text in ["DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE ALL; SELECT 1"] {
                try giveUpAndPrepareAnew(text, by: client)
            }
            try makeTable("leftovers_kept")
            let text = "SELECT * FROM leftovers_kept"
            let second = try zoned("UTC", at: port)
            try prepare(text, by: second)
            #expect(try rows(by: second) == [["1"]])
            try yard.query("ALTER TABLE leftovers_kept ADD COLUMN b int")
            try waitForColumns(2, of: "leftovers_kept")
            #expect(try prepareAnew(text, by: second) == [["1", nil]])
        }
    }

    @Test
    func aKeptSessionThatDoesNothingIsSentAway() throws {
        try withKeptSessions { port in
            let (idle, busy) = (try zoned("UTC", at: port), try zoned("UTC", at: port))
            _ = try idle.query("SELECT 1")
            _ = try busy.query("BEGIN")
            let report = #expect(throws: Report.self) { try idle.untilReady() }
            #expect(report?.code == "57P05")
            #expect(try busy.query("SELECT 1") == [["1"]])
        }
    }

    // MARK: Messages out of step

    /// A server reads nothing behind a Flush that is none, up to a Sync.
    @Test(arguments: [FrontendTag.flush, FrontendTag.sync])
    func aFlushThatIsNoneLeavesNobodyWaiting(tag: UInt8) throws {
        for _ in 0..<10 {
            let client = try client()
            var writer = WireWriter()
            FrontendMessage.query(Array("SELECT 1".utf8)).encode(into: &writer)
            try client.send(writer.bytes + [tag, 0, 0, 0, 5, 0])
            while let message = try client.next() {
                if case .error(let report) = message { #expect(report.isFatal && report.code == "08P01", "\(report)") }
            }
            #expect(try self.client().query("SELECT 2") == [["2"]])
        }
    }
}
