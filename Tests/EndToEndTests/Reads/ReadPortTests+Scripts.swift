// Method: scripts of messages that no driver sends in this way, played to the read port and to a server itself. Both must answer with the same messages: tags,
// rows, codes and transaction states.

import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    struct Script: Sendable, CustomTestStringConvertible {
        var name: String
        var messages: [FrontendMessage]

        init(_ name: String, _ messages: FrontendMessage...) {
            self.name = name
            self.messages = messages
        }

        var testDescription: String { name }

        private static func query(_ text: String) -> FrontendMessage { .query(Array(text.utf8)) }

        private static func parse(_ text: String, as name: String = "") -> FrontendMessage {
            .parse(.init(name: name, query: Array(text.utf8)))
        }

        private static func bind(_ statement: String = "", portal: String = "", _ values: String...) -> FrontendMessage
        {
            .bind(.init(portal: portal, statement: statement, values: values.map { Array($0.utf8) }))
        }

        private static let all = FrontendMessage.execute(portal: "", rows: 0)
        private static let series = "SELECT g FROM generate_series(1, 5) g"

        static let every = [
            Script("an empty query", query(""), query(" ; ")),
            Script("nothing but Sync", .sync, .flush, .sync),
            Script(
                "several statements, one of which fails",
                query("SELECT 1; SELECT 1 / 0; SELECT 2"),
                query("SELECT 3")
            ),
            Script(
                "queries in a pipeline",
                query("SELECT 1"),
                query("BEGIN"),
                query("SELECT 2"),
                query("COMMIT"),
                query("SELECT 3")
            ),
            Script(
                "batches in a pipeline, one of which fails",
                parse("SELECT 1"),
                bind(),
                all,
                .sync,
                parse("SELECT 1 / 0"),
                bind(),
                all,
                parse("SELECT 2"),
                bind(),
                all,
                .sync,
                parse("SELECT 3"),
                bind(),
                all,
                .sync
            ),
            Script(
                "an error, and a query before the Sync",
                parse("SELECT nonsense"),
                query("SELECT 1"),
                .sync,
                query("SELECT 2")
            ),
            Script("a query within a batch", parse("SELECT 1", as: "s"), query("SELECT 2"), bind("s"), all, .sync),
            Script(
                "everything described",
                parse("SELECT $1::int + 1", as: "s"),
                .describe(.statement, name: "s"),
                bind("s", "4"),
                .describe(.portal, name: ""),
                all,
                .sync
            ),
            Script(
                "a statement that gives nothing, described",
                parse("BEGIN"),
                .describe(.statement, name: ""),
                bind(),
                .describe(.portal, name: ""),
                all,
                .sync,
                query("ROLLBACK")
            ),
            Script(
                "rows in portions",
                parse(series),
                bind(),
                .execute(portal: "", rows: 2),
                .flush,
                .execute(portal: "", rows: 2),
                .execute(portal: "", rows: 2),
                .sync
            ),
            Script(
                "a portal is gone behind the Sync",
                parse(series),
                bind(portal: "p"),
                .execute(portal: "p", rows: 1),
                .sync,
                .execute(portal: "p", rows: 1),
                .sync
            ),
            Script(
                "two portals within a transaction",
                query("BEGIN"),
                parse(series),
                bind(portal: "p"),
                bind(portal: "q"),
                .execute(portal: "p", rows: 2),
                .sync,
                .execute(portal: "q", rows: 1),
                .execute(portal: "p", rows: 0),
                .close(.portal, name: "p"),
                .execute(portal: "p", rows: 0),
                .sync,
                query("ROLLBACK")
            ),
            Script(
                "a failed transaction",
                query("BEGIN"),
                query("SELECT 1 / 0"),
                query("SELECT 1"),
                parse("SELECT 1"),
                .sync,
                query("COMMIT"),
                query("SELECT 2")
            ),
            Script("COPY out", query("COPY (SELECT generate_series(1, 3)) TO STDOUT"), query("SELECT 1")),
            Script(
                "COPY out in a batch",
                parse("COPY (SELECT generate_series(1, 3)) TO STDOUT"),
                bind(),
                all,
                .sync,
                query("SELECT 1")
            ),
            Script(
                "a COPY that fails",
                query("COPY (SELECT 1 / (3 - g) FROM generate_series(1, 5) g) TO STDOUT"),
                query("SELECT 1")
            ),
            Script(
                "data that nobody wants",
                .copyData([1, 2, 3]),
                .copyDone,
                .copyFail(reason: "no"),
                query("SELECT 1")
            ),
            Script(
                "a name is given again once it is closed",
                parse("SELECT 1", as: "s"),
                .close(.statement, name: "s"),
                parse("SELECT 2", as: "s"),
                bind("s"),
                all,
                .sync
            ),
            Script(
                "the same again once it is closed",
                parse("SELECT 1", as: "s"),
                .close(.statement, name: "s"),
                parse("SELECT 1", as: "s"),
                bind("s"),
                all,
                .sync,
                bind("s"),
                all,
                .sync
            ),
            Script(
                "the unnamed one again once it is closed",
                parse("SELECT 1"),
                .close(.statement, name: ""),
                parse("SELECT 2"),
                .sync,
                bind(),
                all,
                .sync
            ),
            Script(
                "closing what is not there",
                .close(.statement, name: "x"),
                .close(.portal, name: "x"),
                .close(.statement, name: ""),
                .sync
            ),
            Script(
                "binding what is not there",
                bind("x"),
                all,
                .sync,
                bind("s", "too", "many"),
                .sync,
                .describe(.statement, name: "x"),
                .sync,
                .describe(.portal, name: "x"),
                .sync
            ),
            Script("too few parameters", parse("SELECT $1::text"), bind(), all, .sync, bind("", "a"), all, .sync),
            Script(
                "a simple query ends the unnamed statement",
                parse("SELECT 1"),
                .sync,
                query("SELECT 2"),
                bind(),
                all,
                .sync
            ),
            Script(
                "settings in a pipeline",
                query("SET work_mem = '1234kB'"),
                query("SHOW work_mem"),
                query("RESET work_mem"),
                query("SHOW work_mem")
            ),
            Script(
                "a setting undone by its transaction",
                query("BEGIN"),
                query("SET work_mem = '1234kB'"),
                query("ROLLBACK"),
                query("SHOW work_mem")
            ),
            Script(
                "savepoints",
                query("BEGIN; SAVEPOINT a"),
                query("SELECT 1 / 0"),
                query("ROLLBACK TO a"),
                query("SELECT 1"),
                query("COMMIT")
            ),
            Script(
                "a cursor",
                query("BEGIN"),
                query("DECLARE c CURSOR FOR \(series)"),
                query("FETCH 2 FROM c"),
                query("FETCH ALL FROM c"),
                query("COMMIT"),
                query("FETCH c")
            ),
            Script(
                "prepared by SQL, used by the protocol",
                query("PREPARE s AS SELECT $1::int"),
                bind("s", "7"),
                all,
                .sync,
                query("EXECUTE s(8)"),
                query("DEALLOCATE s")
            ),
        ]
    }

    @Test(arguments: Script.every)
    func theReadPortAnswersAsAServerDoes(script: Script) throws {
        // A replica, while there is one.
        let server = try #require(yard.cluster.nodes.first { $0 !== yard.primary && $0.process != nil } ?? yard.primary)
        let expected = try play(script, at: server.port, isSlow: false)
        #expect(try play(script, at: yard.readPort, isSlow: false) == expected)
        #expect(try play(script, at: yard.readPort, isSlow: true) == expected, "message by message")
    }

    /// What comes back, one word for each message.
    ///
    /// - Parameter isSlow: each message is sent by itself, and has time to be answered.
    private func play(_ script: Script, at port: Int, isSlow: Bool) throws -> [String] {
        let client = try WireClient(port: port)
        try client.login(user: "apm_reader", password: password)
        var writer = WireWriter()
        for message in script.messages {
            message.encode(into: &writer)
            if isSlow {
                try client.send(writer.bytes)
                writer = WireWriter()
                try client.wait(milliseconds: 5)
            }
        }
        try client.send(writer.bytes)
        var words: [String] = []
        // Queries behind an error in a batch are skipped: a last Sync and a last query mark the end.
        try client.send(.sync, .query(Array("SELECT 'end'".utf8)))
        while let message = try client.next() {
            switch message {
            case .dataRow(let values):
                let texts = values.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "NULL" }
                words.append("row \(texts.joined(separator: ","))")
            case .error(let report): words.append("\(report.severity) \(report.code)")
            case .commandComplete(let tag): words.append(tag)
            case .readyForQuery(let status): words.append("ready \(status)")
            case .parameterStatus: break
            case .copyData(let bytes): words.append("data \(String(decoding: bytes, as: UTF8.self))")
            case .rowDescription(let columns): words.append("columns \(columns.map(\.name).joined(separator: ","))")
            case .parameterDescription(let types): words.append("parameters \(types)")
            case .copyOutResponse: words.append("copy out")
            case .notice(let report): words.append("notice \(report.code)")
            default: words.append("\(message)")
            }
            if words.suffix(3) == ["row end", "SELECT 1", "ready idle"] { return words }
            if words.count > 200 { break }
        }
        return words + ["end of the connection"]
    }
}
