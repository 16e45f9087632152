import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Records
import Testing

/// Queries over HTTP.
extension ReadFunctionTests {
    private var basic: String {
        "Basic \(Data("apm_reader:\(password)".utf8).base64EncodedString())"
    }

    private func query(
        _ sql: String,
        parameters: String = "[]",
        _ more: String = "",
        authorization: String? = nil,
        headers: [String: String] = [:],
        window: Int32? = nil
    ) throws -> StreamingHTTP {
        try StreamingHTTP(
            port: yard.opsPort,
            "POST",
            "/v1/query\(more)",
            headers: ["Content-Type": "application/json", "Authorization": authorization ?? basic]
                .merging(headers) { $1 },
            body: try Self.body(sql, parameters),
            window: window
        )
    }

    private static func body(_ sql: String, _ parameters: String = "[]") throws -> String {
        let quoted = String(decoding: try JSONEncoder().encode(sql), as: UTF8.self)
        return #"{"sql": \#(quoted), "parameters": \#(parameters)}"#
    }

    private struct Problem: Decodable {
        var status: Int
        var detail: String
        var sqlstate: String?
        var hint: String?
        var position: Int?
    }

    private func problem(_ answer: StreamingHTTP) throws -> Problem {
        #expect(answer.fields["content-type"] == "application/problem+json")
        let problem = try JSONDecoder().decode(Problem.self, from: Data(try answer.text().utf8))
        #expect(problem.status == answer.status)
        return problem
    }

    private struct Table: Decodable {
        struct Column: Decodable, Equatable {
            var name: String
            var type: String
        }
        var columns: [Column]
        var rowCount: Int
        var truncated: Bool

        enum CodingKeys: String, CodingKey {
            case columns, truncated
            case rowCount = "row_count"
        }
    }

    // MARK: Forms

    @Test
    func aQueryAnswersInThreeForms() throws {
        let sql =
            "SELECT $1::int AS number, $2 || 'ö' AS text, NULL AS nothing, '2026-01-01 12:00+02'::timestamptz AS at"
        let json = try query(sql, parameters: #"[7, "a,b"]"#)
        #expect(json.status == 200 && json.fields["content-type"] == "application/json")
        let text = try json.text()
        #expect(text.contains(#"[7,"a,bö",null,"2026-01-01T10:00:00Z"]"#), "\(text)")
        let table = try JSONDecoder().decode(Table.self, from: Data(text.utf8))
        #expect(table.rowCount == 1 && !table.truncated)
        #expect(table.columns.first == Table.Column(name: "number", type: "int4"))
        #expect(json.isWhole && json.trailers == ["forebay-rows": "1", "forebay-truncated": "false"])

        let ndjson = try query(sql, parameters: #"[7, "a,b"]"#, headers: ["Accept": "application/x-ndjson"])
        #expect(try ndjson.text() == #"{"number":7,"text":"a,bö","nothing":null,"at":"2026-01-01T10:00:00Z"}"# + "\n")
        let csv = try query(sql, parameters: #"[7, "a,b"]"#, "?format=csv")
        #expect(try csv.text() == "number,text,nothing,at\r\n7,\"a,bö\",,\"2026-01-01 10:00:00+00\"\r\n")
        #expect(csv.fields["content-type"] == "text/csv; charset=utf-8")
    }

    @Test
    func parametersOfEveryKind() throws {
        let answer = try query(
            "SELECT $1::bool, $2::numeric, $3::text, $4::jsonb->'a', $5::int[], $6::float8",
            parameters: #"[true, 12345678901234567890.5, null, {"a": [1]}, "{1,2}", 0.1]"#,
            "?format=ndjson"
        )
        let text = try answer.text()
        #expect(answer.status == 200, "\(text)")
        let row =
            #""bool":true,"numeric":12345678901234567890.5,"text":null,"?column?":[1],"int4":"{1,2}","float8":0.1"#
        #expect(text.contains(row), "\(text)")
    }

    @Test
    func noRowsAndManyRows() throws {
        let none = try query("SELECT 1 AS a WHERE false")
        #expect(try none.text().contains(#""row_count":0,"truncated":false"#))
        let many = try query("SELECT g FROM generate_series(1, 50000) g", "?format=ndjson&max_rows=40000")
        #expect(try many.text().split(separator: "\n").count == 40_000)
        #expect(many.trailers == ["forebay-rows": "40000", "forebay-truncated": "true"])
        let exact = try query("SELECT g FROM generate_series(1, 100) g", "?format=csv&max_rows=100")
        #expect(try exact.text().split(separator: "\r\n").count == 101)
        #expect(exact.trailers["forebay-truncated"] == "false")
    }

    @Test
    func thePortItselfCanBeAsked() throws {
        let answer = try query("SHOW forebay.nodes", "?format=ndjson")
        #expect(try answer.text().split(separator: "\n").count == 3)
    }

    // MARK: Who may

    @Test
    func onlyReadersMayAsk() throws {
        let alice = Data("\(FunctionYard.user):first-password".utf8).base64EncodedString()
        for good in ["Bearer \(FunctionYard.readToken)", "Basic \(alice)"] {
            #expect(try query("SELECT 1", authorization: good).status == 200)
        }
        let wrong = Data("apm_reader:wrong".utf8).base64EncodedString()
        let nobody = Data("nobody:wrong".utf8).base64EncodedString()
        for bad in ["", "Basic \(wrong)", "Basic \(nobody)", "Basic !", "Bearer \(FunctionYard.agentToken)", "Bearer "]
        {
            let answer = try query("SELECT 1", authorization: bad)
            #expect(answer.status == 401)
            #expect(answer.fields["www-authenticate"]?.hasPrefix("Basic") == true)
        }
        #expect(try StreamingHTTP(port: yard.opsPort, "GET", "/v1/kpi/hourly").status == 401)
    }

    // MARK: Errors

    @Test
    func aWriteIsRefused() throws {
        for sql in [
            "CREATE TABLE t (a int)", "INSERT INTO apirequests (time) VALUES (now()) RETURNING time",
            "WITH gone AS (DELETE FROM apirequests RETURNING 1) SELECT * FROM gone",
        ] {
            let answer = try query(sql)
            let problem = try problem(answer)
            #expect(answer.status == 403)
            #expect(["25006", "42501"].contains(problem.sqlstate), "\(problem)")
        }
        #expect(try problem(try query("CREATE TABLE t (a int)")).sqlstate == "25006")
    }

    @Test
    func errorsAreTold() throws {
        let missing = try query("SELECT * FROM nowhere")
        let told = try problem(missing)
        #expect(missing.status == 400 && told.sqlstate == "42P01" && told.position == 15)
        let wrong = try query("SELECT $1::int", parameters: #"["x"]"#)
        #expect(try wrong.status == 400 && problem(wrong).sqlstate == "22P02")
        let few = try query("SELECT $1::int")
        #expect(try few.status == 400 && problem(few).sqlstate == "08P01")
        let two = try query("SELECT 1; SELECT 2")
        #expect(try two.status == 400 && problem(two).sqlstate == "42601")
        let copy = try query("COPY (SELECT 1) TO STDOUT")
        #expect(try copy.status == 400 && problem(copy).sqlstate == "0A000")
        let receipt = try query("SELECT 1", "?after=x")
        #expect(try receipt.status == 400 && problem(receipt).sqlstate == "22023")
    }

    @Test
    func aRequestThatCannotBeReadIsRefused() throws {
        for more in ["?format=xml", "?max_rows=-1", "?timeout=5", "?timeout=0s", "?rows=1", "?format=csv&format=csv"] {
            #expect(try query("SELECT 1", more).status == 400, "\(more)")
        }
        #expect(try query("SELECT 1", headers: ["Accept": "text/html"]).status == 406)
        #expect(try query("SELECT 1", headers: ["Content-Type": "text/plain"]).status == 415)
        for body in [
            "", "[]", "{}", #"{"sql": 1}"#, #"{"sql": "SELECT 1", "limit": 1}"#,
            #"{"sql": "SELECT 1", "parameters": {}}"#,
        ] {
            let answer = try StreamingHTTP(
                port: yard.opsPort,
                "POST",
                "/v1/query",
                headers: ["Content-Type": "application/json", "Authorization": basic],
                body: body
            )
            #expect(answer.status == 400, "\(body)")
        }
        #expect(try query(String(repeating: "x", count: 1 << 20)).status == 413)
    }

    /// Behind rows, an error is the end of the connection and not of the body.
    @Test(arguments: ["json", "ndjson", "csv"])
    func anErrorBehindRowsBreaksTheBodyOff(format: String) throws {
        let answer = try query(
            "SELECT repeat('x', 1000), 1 / (5000 - g) FROM generate_series(1, 5000) g",
            "?format=\(format)"
        )
        #expect(answer.status == 200)
        let text = try answer.text()
        #expect(!answer.isWhole && answer.trailers.isEmpty)
        #expect(text.contains("22012") == (format != "csv"), "\(text.suffix(200))")
        #expect(text.utf8.count > 1_000_000)
    }

    // MARK: Limits

    @Test
    func timeIsUp() throws {
        let begun = ContinuousClock.now
        let answer = try query("SELECT pg_sleep(60)", "?timeout=300ms")
        #expect(try answer.status == 504 && problem(answer).sqlstate == "57014")
        #expect(ContinuousClock.now - begun < .seconds(20))
        try waitUntil("the statement was cancelled", within: 20) { try self.running("%pg_sleep(60)%") == 0 }
    }

    private func running(_ pattern: String, event: String? = nil) throws -> Int {
        let more = event.map { " AND wait_event = '\($0)'" } ?? ""
        return try yard.cluster.nodes.map { node in
            let text = try node.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '\(pattern)' AND pid <> pg_backend_pid() AND state = 'active'\(more)"
            )
            return Int(text) ?? 0
        }.reduce(0, +)
    }

    private func residentKibibytes() throws -> Int {
        let process = try #require(yard.proxy)
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.split(separator: " ")[1]))
    }

    /// Whoever does not read holds the server up, and nothing else: 2 GB are on their way.
    @Test
    func aSlowReaderCostsNoMemory() throws {
        let sql = "SELECT g, repeat('y', 2000) FROM generate_series(1, 1000000) g"
        let before = try residentKibibytes()
        let answers = try (0..<8).map { _ in try query(sql, "?format=ndjson", window: 16384) }
        #expect(answers.allSatisfy { $0.status == 200 })
        try waitUntil("the servers wait for the readers", within: 30) {
            try self.running("%repeat(''y''%", event: "ClientWrite") == 8
        }
        for answer in answers {
            for _ in 0..<20 { #expect(try answer.piece() != nil) }
        }
        try waitUntil("they wait again", within: 30) {
            try self.running("%repeat(''y''%", event: "ClientWrite") == 8
        }
        let grown = try residentKibibytes() - before
        #expect(grown < 64 << 10, "8 readers cost \(grown) KiB")
        say("8 slow readers cost \(grown) KiB")
    }

    @Test
    func whoeverLeavesEndsTheStatement() throws {
        var answer: StreamingHTTP? = try query(
            "SELECT g, repeat('z', 2000) FROM generate_series(1, 1000000) g",
            "?format=csv",
            window: 16384
        )
        #expect(try answer?.piece() != nil)
        answer = nil
        try waitUntil("the statement ended", within: 20) { try self.running("%repeat(''z''%") == 0 }
    }

    // MARK: Nodes come and go

    private func node(running pattern: String) throws -> LocalNode? {
        try yard.cluster.nodes.first { node in
            try node.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '\(pattern)' AND state = 'active' AND usename = 'apm_reader'"
            ) != "0"
        }
    }

    /// Before a row went out, the statement is run again elsewhere.
    @Test
    func aReplicaIsKilledBeforeTheFirstRow() throws {
        let reruns = try yard.metric("forebay_read_reruns_total")
        let body = try Self.body("SELECT 'here', pg_sleep(2)")
        let headers = ["Content-Type": "application/json", "Authorization": basic]
        let port = yard.opsPort
        let answers = AnswerBox()
        let finished = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            answers.result = Result {
                try StreamingHTTP(port: port, "POST", "/v1/query?format=csv", headers: headers, body: body).text()
            }
            finished.signal()
        }
        var node: LocalNode?
        try waitUntil("the statement runs", within: 10) {
            node = try self.node(running: "SELECT ''here''%")
            return node != nil
        }
        try #require(node).kill()
        finished.wait()
        #expect(try answers.result?.get() == "?column?,pg_sleep\r\nhere,\"\"\r\n")
        #expect(try yard.metric("forebay_read_reruns_total") > reruns)
        try node?.start()
        try waitUntil("both replicas are back", within: 60) { try self.readyReplicas() == 2 }
    }

    private func readyReplicas() throws -> Int {
        try client().query("SHOW forebay.nodes").filter { $0[1] == "ready" }.count
    }

    @Test
    func aReplicaIsKilledBehindTheFirstRow() throws {
        let answer = try query(
            "SELECT g, repeat('w', 2000) FROM generate_series(1, 1000000) g",
            "?format=ndjson",
            window: 16384
        )
        #expect(answer.status == 200)
        #expect(try answer.piece() != nil)
        let node = try #require(try self.node(running: "%repeat(''w''%"))
        try node.kill()
        let text = try answer.text()
        #expect(!answer.isWhole)
        let last = try #require(text.split(separator: "\n").last)
        #expect(last.hasPrefix(#"{"error":{"#) && last.contains(#""status":503"#), "\(last.suffix(300))")
        try node.start()
        try waitUntil("both replicas are back", within: 60) { try self.readyReplicas() == 2 }
    }

    // MARK: Own writes, and key figures

    /// - Returns: the receipt.
    func write(_ service: String, _ endpoint: String, latency: Int = 1, status: Int = 200) throws -> String {
        let answer = try StreamingHTTP(
            port: yard.httpPort,
            "POST",
            "/v1/ingest/apirequests",
            headers: ["Content-Type": "application/json", "Authorization": "Bearer \(FunctionYard.agentToken)"],
            body: """
                {"time": "2026-01-01T05:00:00Z", "service": "\(service)", "endpoint": "\(endpoint)", "method": "GET", \
                "status_code": \(status), "latency_ms": \(latency)}
                """
        )
        let body = try answer.text()
        try #require(answer.status == 200, "\(body)")
        return String(try #require(body.split(separator: "\"").first { Position(receipt: $0) != nil }))
    }

    @Test
    func aReceiptIsReadByOverHTTP() throws {
        for round in 0..<10 {
            let receipt = try write("http-own", "/\(round)")
            let answer = try query(
                "SELECT count(*) FROM apirequests WHERE service = 'http-own' AND endpoint = $1",
                parameters: "[\"/\(round)\"]",
                "?format=csv&after=\(receipt)"
            )
            #expect(try answer.text() == "count\r\n1\r\n")
        }
        let nowhere = try query("SELECT 1", "?after=\(Self.receipt)")
        #expect(try nowhere.status == 503 && problem(nowhere).sqlstate == "58000")
        #expect(nowhere.fields["retry-after"] == "1")
    }

    @Test
    func keyFigures() throws {
        var receipt = ""
        for number in 1...100 {
            receipt = try write("kpi", "/k", latency: number, status: number % 10 == 0 ? 500 : 200)
        }
        for (period, start) in [("hourly", "2026-01-01T05:00:00Z"), ("daily", "2026-01-01T00:00:00Z")] {
            let answer = try StreamingHTTP(
                port: yard.opsPort,
                "GET",
                "/v1/kpi/\(period)?format=ndjson&service=kpi&from=2025-12-31&to=2026-01-02&after=\(receipt)",
                headers: ["Authorization": basic]
            )
            let line = try answer.text()
            #expect(answer.status == 200)
            let column = period == "hourly" ? "hour" : "day"
            #expect(
                line
                    == #"{"\#(column)":"\#(start)","service":"kpi","endpoint":"/k","requests":100,"errors":10,"error_rate":0.1,"#
                    + #""p50_latency_ms":50.5,"p95_latency_ms":95.05,"p99_latency_ms":99.01}"# + "\n"
            )
        }
        let none = try StreamingHTTP(
            port: yard.opsPort,
            "GET",
            "/v1/kpi/hourly?format=csv&service=kpi",
            headers: ["Authorization": "Bearer \(FunctionYard.readToken)"]
        )
        #expect(try none.text().split(separator: "\r\n").count == 1)
        for (target, status) in [("hourly?from=x", 400), ("weekly", 404), ("daily?user=1", 400)] {
            let answer = try StreamingHTTP(
                port: yard.opsPort,
                "GET",
                "/v1/kpi/\(target)",
                headers: ["Authorization": basic]
            )
            #expect(answer.status == status, "\(target)")
        }
    }
}

private final class AnswerBox: @unchecked Sendable {
    // Sendable because it is written before the semaphore is signalled, and read after it was waited for.
    var result: Result<String, any Error>?
}
