import PostgresWire
import ProvingGround
import Testing

/// Statements that no server sees.
extension ReadFunctionTests {
    static let receipt = "00000000-0000-0000-0000-000000000001.0.5"

    /// What is left of messages when their kinds are named.
    private static func kinds(_ messages: [BackendMessage]) -> [String] {
        messages.map { message in
            switch message {
            case .parseComplete: "parsed"
            case .bindComplete: "bound"
            case .closeComplete: "closed"
            case .parameterDescription(let types): "parameters \(types.count)"
            case .rowDescription(let columns): "columns \(columns.count)"
            case .noData: "no data"
            case .dataRow: "row"
            case .commandComplete(let tag): tag
            case .portalSuspended: "suspended"
            case .error(let report): report.code
            case .readyForQuery(let status): "ready \(status)"
            default: "\(message)"
            }
        }
    }

    private static func batch(_ text: String, describes: Bool = true) -> [FrontendMessage] {
        let parts: [FrontendMessage] = [.parse(.init(query: Array(text.utf8))), .bind(.init())]
        return parts + (describes ? [.describe(.portal, name: "")] : []) + [.execute(portal: "", rows: 0)]
    }

    private func send(_ client: WireClient, _ messages: [FrontendMessage]) throws {
        var writer = WireWriter()
        for message in messages { message.encode(into: &writer) }
        try client.send(writer.bytes)
    }

    @Test
    func reportsAreShownToPsql() throws {
        for (name, first) in [("nodes", "node"), ("pools", "node"), ("clients", "pid"), ("stats", "name")] {
            let outcome = try psql(["-A", "-c", "SHOW forebay.\(name)"])
            #expect(outcome.status == 0, "\(outcome.text)")
            #expect(outcome.text.hasPrefix("\(first)|"), "\(outcome.text)")
        }
        let nodes = try psql(["-At", "-c", "SHOW forebay.nodes"]).text.split(separator: "\n")
        #expect(nodes.count == 3)
        #expect(nodes.filter { $0.contains("|ready|t|") }.count == 2, "\(nodes)")
        #expect(nodes.filter { $0.contains("|primary|f|") }.count == 1, "\(nodes)")
    }

    @Test
    func aClientSeesItself() throws {
        let client = try client("apm_reader", password: nil, [.init("application_name", "it-is-me")])
        let key = try #require(client.key)
        let rows = try client.query("show FOREBAY.clients;")
        let own = try #require(rows.first { $0[0] == "\(key.process)" })
        #expect(own[1] == "apm_reader" && own[3] == "it-is-me" && own[4] == "f" && own[5] == "idle")
        #expect(own[2]?.hasPrefix("127.0.0.1:") == true)
        _ = try client.query("BEGIN")
        let within = try client.query("SHOW forebay.clients").first { $0[0] == "\(key.process)" }
        #expect(within?[5] == "in transaction" && within?[6] != nil)
        _ = try client.query("ROLLBACK")
    }

    @Test
    func aReportNeedsNoServer() throws {
        let client = try client()
        let before = try yard.metric("forebay_read_transactions_total")
        for _ in 0..<20 { #expect(try client.query("SHOW forebay.stats").contains { $0[0] == "transactions" }) }
        #expect(try yard.metric("forebay_read_transactions_total") == before)
    }

    @Test(arguments: ["nodes", "pools", "clients", "stats"])
    func reportsInTheExtendedProtocol(name: String) throws {
        let client = try client()
        let simple = try client.query("SHOW forebay.\(name)")
        try send(client, Self.batch("SHOW forebay.\(name)") + [.sync])
        let messages = try client.untilReady()
        let kinds = Self.kinds(messages)
        #expect(kinds.first == "parsed" && kinds[1] == "bound" && kinds[2].hasPrefix("columns"))
        #expect(kinds.suffix(2) == ["SHOW", "ready idle"])
        #expect(try WireClient.rows(of: messages).count == simple.count)
    }

    @Test
    func resultsComeInTheFormatThatWasAskedFor() throws {
        let client = try client()
        try client.send(
            .parse(.init(name: "r", query: Array("SHOW forebay.pools".utf8))),
            .describe(.statement, name: "r"),
            .bind(.init(statement: "r", resultFormats: [1])),
            .execute(portal: "", rows: 0),
            .sync
        )
        let messages = try client.untilReady()
        #expect(Self.kinds(messages).prefix(4) == ["parsed", "parameters 0", "columns 7", "bound"])
        guard case .dataRow(let row)? = messages.first(where: { if case .dataRow = $0 { true } else { false } }) else {
            Issue.record("no row")
            return
        }
        // The size of the pool, as int8.
        #expect(row[2] == [0, 0, 0, 0, 0, 0, 0, 20])
    }

    @Test
    func rowsOfAReportComeInPortions() throws {
        let client = try client()
        try client.send(
            .parse(.init(query: Array("SHOW forebay.nodes".utf8))),
            .bind(.init(portal: "p")),
            .execute(portal: "p", rows: 2),
            .execute(portal: "p", rows: 2),
            .close(.portal, name: "p"),
            .sync
        )
        let kinds = Self.kinds(try client.untilReady())
        #expect(kinds == ["parsed", "bound", "row", "row", "suspended", "row", "SHOW", "closed", "ready idle"])
    }

    @Test
    func theFloorInTheExtendedProtocol() throws {
        let client = try client()
        try send(client, Self.batch("SET forebay.after = '\(Self.receipt)'") + [.sync])
        #expect(Self.kinds(try client.untilReady()) == ["parsed", "bound", "no data", "SET", "ready idle"])
        try send(client, Self.batch("SHOW forebay.after") + [.sync])
        #expect(try WireClient.rows(of: try client.untilReady()) == [[Self.receipt]])
        let report = #expect(throws: Report.self) { try client.query("SELECT 1") }
        #expect(report?.code == "58000")
        try send(client, Self.batch("RESET forebay.after", describes: false) + Self.batch("SELECT 7") + [.sync])
        #expect(try WireClient.rows(of: try client.untilReady()) == [["7"]])
    }

    @Test
    func aPreparedStatementOfOurOwnIsUsedAgainAndGivenUp() throws {
        let client = try client()
        try client.send(.parse(.init(name: "s", query: Array("SHOW forebay.after".utf8))), .sync)
        #expect(Self.kinds(try client.untilReady()) == ["parsed", "ready idle"])
        for _ in 0..<3 {
            try client.send(.bind(.init(statement: "s")), .execute(portal: "", rows: 0), .sync)
            #expect(Self.kinds(try client.untilReady()) == ["bound", "row", "SHOW", "ready idle"])
            #expect(try client.query("SELECT 1") == [["1"]])
        }
        try client.send(.close(.statement, name: "s"), .sync)
        #expect(Self.kinds(try client.untilReady()) == ["closed", "ready idle"])
        try client.send(.bind(.init(statement: "s")), .execute(portal: "", rows: 0), .sync)
        #expect(Self.kinds(try client.untilReady()) == ["26000", "ready idle"])
        // The name is free for a statement of the server's, and the other way round.
        for text in ["SELECT 5", "SHOW forebay.stats", "SELECT 6"] {
            try client.send(
                .parse(.init(name: "n", query: Array(text.utf8))),
                .bind(.init(statement: "n")),
                .execute(portal: "", rows: 0),
                .sync
            )
            #expect(try WireClient.rows(of: try client.untilReady()).isEmpty == false)
        }
    }

    /// Among statements of the server each answer has its place, and so has an error.
    @Test
    func ownStatementsKeepTheirPlaceInABatch() throws {
        let client = try client()
        try send(
            client,
            Self.batch("SELECT 1", describes: false) + Self.batch("SHOW forebay.after", describes: false)
                + Self.batch("SELECT 2", describes: false) + [.sync]
        )
        #expect(try WireClient.rows(of: try client.untilReady()) == [["1"], [""], ["2"]])
        try send(
            client,
            Self.batch("SELECT 1", describes: false) + Self.batch("SET forebay.after = ''", describes: false)
                + Self.batch("SELECT 2", describes: false) + [.sync]
        )
        let kinds = Self.kinds(try client.untilReady())
        #expect(kinds == ["parsed", "bound", "row", "SELECT 1", "parsed", "bound", "25001", "ready idle"])
        #expect(try client.query("SELECT 3") == [["3"]])
    }

    @Test
    func anErrorOfOursEndsATransactionAsAnyOther() throws {
        let client = try client()
        _ = try client.query("BEGIN")
        try send(client, Self.batch("SET forebay.after = ''") + [.sync])
        #expect(Self.kinds(try client.untilReady()) == ["parsed", "bound", "no data", "25001", "ready inFailedBlock"])
        _ = try client.query("ROLLBACK")
        for (text, code) in [("SET forebay.after = 'x'", "22023"), ("SHOW forebay.x", "0A000")] {
            try send(client, Self.batch(text) + [.sync])
            #expect(Self.kinds(try client.untilReady()) == [code, "ready idle"])
        }
        try client.send(
            .parse(.init(query: Array("SHOW forebay.nodes".utf8))),
            .bind(.init(values: [[49]])),
            .sync
        )
        #expect(Self.kinds(try client.untilReady()) == ["parsed", "08P01", "ready idle"])
    }

    /// What is sent without waiting for answers comes in its order.
    @Test
    func pipelinedStatementsTakeTheirTurns() throws {
        let client = try client()
        try send(
            client,
            [.query(Array("SELECT pg_sleep(0.2), 1".utf8)), .query(Array("SHOW forebay.after".utf8))]
                + Self.batch("SELECT pg_sleep(0.2), 2", describes: false) + [.sync]
                + Self.batch("SET forebay.after = ''", describes: false) + [.sync]
                + [.query(Array("SELECT 3".utf8)), .query(Array("CREATE TABLE t ()".utf8))]
        )
        #expect(try WireClient.rows(of: try client.untilReady()) == [["", "1"]])
        #expect(try WireClient.rows(of: try client.untilReady()) == [[""]])
        #expect(try WireClient.rows(of: try client.untilReady()) == [["", "2"]])
        #expect(Self.kinds(try client.untilReady()) == ["parsed", "bound", "SET", "ready idle"])
        #expect(try WireClient.rows(of: try client.untilReady()) == [["3"]])
        #expect(Self.kinds(try client.untilReady()) == ["25006", "ready idle"])
    }

    /// A batch that was never closed by a Sync is no reason to wait for ever.
    @Test
    func aSimpleQueryBehindAnOpenBatchIsAnswered() throws {
        let client = try client()
        try send(client, Self.batch("SELECT 1", describes: false) + [.query(Array("SHOW forebay.after".utf8))])
        let kinds = Self.kinds(try client.untilReady())
        #expect(kinds.starts(with: ["parsed", "bound", "row", "SELECT 1", "columns 1", "row", "SHOW"]), "\(kinds)")
    }
}
