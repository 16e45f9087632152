// Statements, portals and batches of the extended protocol.

import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    @Test
    func namedStatementsWorkOnEveryBackend() throws {
        let clients = try (0..<30).map { _ in try client() }
        for (number, client) in clients.enumerated() {
            // The same name for different statements, and the same statement under different names.
            let text = number % 3 == 0 ? "SELECT 'shared', $1" : "SELECT 'own-\(number)', $1"
            try client.send(.parse(.init(name: number % 2 == 0 ? "s" : "s\(number)", query: Array(text.utf8))), .sync)
            _ = try WireClient.rows(of: try client.untilReady())
        }
        for round in 0..<5 {
            for (number, client) in clients.enumerated().shuffled() {
                let name = number % 2 == 0 ? "s" : "s\(number)"
                try client.send(
                    .bind(.init(statement: name, values: [Array("\(round)".utf8)])),
                    .describe(.portal, name: ""),
                    .execute(portal: "", rows: 0),
                    .sync
                )
                let expected = number % 3 == 0 ? "shared" : "own-\(number)"
                #expect(try WireClient.rows(of: try client.untilReady()) == [[expected, "\(round)"]])
            }
        }
    }

    /// Names that the backends know are not for clients to use.
    @Test
    func statementsOfOthersCannotBeNamed() throws {
        let owner = try client()
        try owner.send(.parse(.init(name: "mine", query: Array("SELECT 'mine'".utf8))), .sync)
        _ = try owner.untilReady()
        let other = try client()
        for number in 1...200 {
            try other.send(.bind(.init(statement: "forebay:\(number)")), .execute(portal: "", rows: 0), .sync)
            let report = #expect(throws: Report.self) { try WireClient.rows(of: try other.untilReady()) }
            #expect(report?.code == "26000")
        }
    }

    @Test
    func theUnnamedStatementOutlivesItsBatchAndIsNobodyElses() throws {
        let clients = try (0..<30).map { _ in try client() }
        for (number, client) in clients.enumerated() where number % 2 == 0 {
            try client.send(.parse(.init(query: Array("SELECT 'own-\(number)'".utf8))), .sync)
            _ = try WireClient.rows(of: try client.untilReady())
        }
        for _ in 0..<3 {
            for (number, client) in clients.enumerated().shuffled() {
                try client.send(.bind(.init()), .execute(portal: "", rows: 0), .sync)
                let messages = try client.untilReady()
                if number % 2 == 0 {
                    #expect(try WireClient.rows(of: messages) == [["own-\(number)"]])
                } else {
                    let report = #expect(throws: Report.self) { try WireClient.rows(of: messages) }
                    #expect(report?.code == "26000")
                }
            }
        }
    }

    @Test
    func anErrorWithinABatchSkipsTheRestAndForgetsIt() throws {
        let client = try client()
        try client.send(
            .parse(.init(name: "bad", query: Array("SELECT nonsense FROM nowhere".utf8))),
            .parse(.init(name: "skipped", query: Array("SELECT 1".utf8))),
            .sync
        )
        let report = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
        #expect(report?.code == "42P01")
        try client.send(.bind(.init(statement: "skipped")), .execute(portal: "", rows: 0), .sync)
        let second = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
        #expect(second?.code == "26000")
        try client.send(
            .parse(.init(name: "skipped", query: Array("SELECT 2".utf8))),
            .bind(.init(statement: "skipped")),
            .execute(portal: "", rows: 0),
            .close(.statement, name: "skipped"),
            .sync
        )
        #expect(try WireClient.rows(of: try client.untilReady()) == [["2"]])
    }

    /// Flush without Sync leaves the batch open: the backend, with the client's portals, is nobody else's meanwhile.
    @Test
    func aBatchKeepsItsBackendUpToTheSync() throws {
        let clients = try (0..<8).map { _ in try client() }
        for (number, client) in clients.enumerated() {
            try client.send(
                .parse(.init(query: Array("SELECT '\(number)', g FROM generate_series(1, 4) g".utf8))),
                .bind(.init()),
                .execute(portal: "", rows: 2),
                .flush
            )
            for _ in 0..<4 { _ = try client.next() }
        }
        let stranger = try client()
        for _ in 0..<20 {
            try stranger.send(.execute(portal: "", rows: 0), .sync)
            let report = #expect(throws: Report.self) { try WireClient.rows(of: try stranger.untilReady()) }
            #expect(report?.code == "34000")
        }
        for (number, client) in clients.enumerated() {
            try client.send(.execute(portal: "", rows: 0), .sync)
            let rows = try WireClient.rows(of: try client.untilReady())
            #expect(rows == [["\(number)", "3"], ["\(number)", "4"]])
        }
    }

    /// Whoever asks on after an error, without a Sync, is answered behind the Sync; and nobody else waits for that.
    @Test
    func anErrorBehindAFlushSkipsToTheSync() throws {
        let clients = try (0..<8).map { _ in try client() }
        for client in clients {
            try client.send(.parse(.init(query: Array("SELECT nonsense FROM nowhere".utf8))), .flush)
            guard case .error = try client.next() else { throw YardFault("no error") }
        }
        for _ in 0..<20 { #expect(try self.client().query("SELECT 1") == [["1"]]) }
        for client in clients {
            try client.send(
                .parse(.init(name: "skipped", query: Array("SELECT 2".utf8))),
                .query(Array("SELECT 3".utf8)),
                .sync
            )
            #expect(try client.untilReady() == [.readyForQuery(.idle)])
            try client.send(.bind(.init(statement: "skipped")), .sync)
            let report = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
            #expect(report?.code == "26000")
            #expect(try client.query("SELECT 4") == [["4"]])
        }
    }

    @Test
    func rowsComeInPortionsWithinATransaction() throws {
        let client = try client()
        try client.send(
            .query(Array("BEGIN".utf8)),
            .parse(.init(query: Array("SELECT g FROM generate_series(1, 5) g".utf8))),
            .bind(.init(portal: "p")),
            .execute(portal: "p", rows: 2),
            .sync
        )
        _ = try client.untilReady()
        #expect(try WireClient.rows(of: try client.untilReady()).count == 2)
        try client.send(.execute(portal: "p", rows: 0), .flush)
        var rows = 0
        while let message = try client.next() {
            if case .dataRow = message { rows += 1 }
            if case .commandComplete = message { break }
        }
        #expect(rows == 3)
        try client.send(.close(.portal, name: "p"), .sync, .query(Array("COMMIT".utf8)))
        _ = try client.untilReady()
        _ = try client.untilReady()
        #expect(try client.query("SELECT 1") == [["1"]])
    }
}
