// What a session keeps from one transaction to the next, though each may be on another backend.

import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    @Test
    func eachClientKeepsItsSettings() throws {
        let clients = try (0..<40).map { number in
            try client([
                .init("application_name", "client-\(number)"),
                .init("TimeZone", number % 2 == 0 ? "UTC" : "Asia/Tokyo"),
            ])
        }
        for (number, client) in clients.enumerated() where number % 4 == 0 {
            _ = try client.query("SET work_mem = '\(1100 + number)kB'")
        }
        for _ in 0..<3 {
            for (number, client) in clients.enumerated().shuffled() {
                let work = number % 4 == 0 ? "\(1100 + number)kB" : "4MB"
                #expect(
                    try client.query(
                        "SELECT current_setting('application_name'), current_setting('TimeZone'), current_setting('work_mem')"
                    ) == [["client-\(number)", number % 2 == 0 ? "UTC" : "Asia/Tokyo", work]]
                )
            }
        }
    }

    @Test
    func aSettingThatIsWrongIsToldAtTheLogin() throws {
        let report = #expect(throws: Report.self) { try client([.init("no_such_setting", "1")]) }
        #expect(report?.code == "42704")
        #expect(report?.isFatal == true)
    }

    @Test
    func settingsWithinATransactionFollowIt() throws {
        let client = try client()
        _ = try client.query("BEGIN")
        _ = try client.query("SET work_mem = '1234kB'")
        _ = try client.query("ROLLBACK")
        #expect(try client.query("SHOW work_mem") == [["4MB"]])
        _ = try client.query("BEGIN; SET work_mem = '1234kB'; COMMIT")
        #expect(try client.query("SHOW work_mem") == [["1234kB"]])
        _ = try client.query("RESET ALL")
        #expect(try client.query("SHOW work_mem") == [["4MB"]])
        #expect(try client.query("SHOW default_transaction_read_only") == [["on"]])
    }

    @Test
    func aResetGoesBackToTheStartupPacket() throws {
        let client = try client([.init("TimeZone", "Asia/Tokyo")])
        for text in ["RESET ALL", "DISCARD ALL", "RESET TimeZone"] {
            _ = try client.query("SET TimeZone = 'UTC'")
            #expect(try client.query("SHOW TimeZone") == [["UTC"]])
            _ = try client.query(text)
            #expect(try client.query("SHOW TimeZone") == [["Asia/Tokyo"]])
        }
    }

    @Test
    func deallocatedStatementsAreGone() throws {
        let client = try client()
        for text in ["DEALLOCATE s", "DEALLOCATE ALL", "DISCARD ALL"] {
            try client.send(.parse(.init(name: "s", query: Array("SELECT 1".utf8))), .sync)
            _ = try WireClient.rows(of: try client.untilReady())
            _ = try client.query(text)
            try client.send(.bind(.init(statement: "s")), .execute(portal: "", rows: 0), .sync)
            let report = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
            #expect(report?.code == "26000")
        }
    }

    /// And the same text can be prepared anew, by this client and by others.
    @Test(arguments: ["DEALLOCATE s", "DEALLOCATE ALL"])
    func statementsAreDeallocatedInTheExtendedProtocolToo(text: String) throws {
        let client = try client()
        for _ in 0..<20 {
            try client.send(.parse(.init(name: "s", query: Array("SELECT 5".utf8))), .sync)
            _ = try WireClient.rows(of: try client.untilReady())
            try client.send(
                .parse(.init(query: Array(text.utf8))),
                .bind(.init()),
                .describe(.portal, name: ""),
                .execute(portal: "", rows: 0),
                .sync
            )
            #expect(
                try client.untilReady() == [
                    .parseComplete, .bindComplete, .noData, .commandComplete(tag: "DEALLOCATE"), .readyForQuery(.idle),
                ]
            )
            try client.send(.bind(.init(statement: "s")), .sync)
            let report = #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
            #expect(report?.code == "26000")
        }
        // It was not pinned for that.
        try client.send(.parse(.init(name: "s", query: Array("SELECT 5".utf8))), .bind(.init(statement: "s")))
        try client.send(.execute(portal: "", rows: 0), .sync)
        #expect(try WireClient.rows(of: try client.untilReady()) == [["5"]])
    }

    @Test
    func whatCannotBeCarriedPinsTheSession() throws {
        let client = try client()
        _ = try client.query("SELECT set_config('app.tenant', '7', false)")
        for _ in 0..<10 { #expect(try client.query("SELECT current_setting('app.tenant')") == [["7"]]) }
        for _ in 0..<20 {
            #expect(try self.client().query("SELECT current_setting('app.tenant', true)") != [["7"]])
        }
    }

    @Test(arguments: [
        "SET default_transaction_read_only = off", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "BEGIN READ WRITE", "SET LOCAL transaction_read_only = off",
    ])
    func readOnlyStays(text: String) throws {
        let client = try client()
        let report = #expect(throws: Report.self) { try client.query(text) }
        #expect(report?.code == "25006")
        #expect(try client.query("SHOW transaction_read_only") == [["on"]])
        for name in ["", "s"] {
            // Before anything of the batch is the server's, and behind something.
            try client.send(.parse(.init(name: name, query: Array(text.utf8))), .sync)
            #expect(try codes(of: client.untilReady()) == ["25006"])
            try client.send(.parse(.init(query: Array("SELECT 1".utf8))), .bind(.init()))
            try client.send(.parse(.init(name: name, query: Array(text.utf8))), .execute(portal: "", rows: 0), .sync)
            #expect(try codes(of: client.untilReady()) == ["25006"])
        }
        #expect(try client.query("SHOW transaction_read_only") == [["on"]])
    }

    private func codes(of messages: [BackendMessage]) -> [String] {
        messages.compactMap { if case .error(let report) = $0 { report.code } else { nil } }
    }

    @Test
    func whoWantsToReadOnlyMaySaySo() throws {
        let client = try client()
        for text in ["SET default_transaction_read_only TO 'on'", "set session default_transaction_read_only = true;"] {
            _ = try client.query(text)
            #expect(try client.query("SHOW transaction_read_only") == [["on"]])
        }
        _ = try client.query("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        #expect(try client.query("SHOW transaction_read_only") == [["on"]])
    }

    @Test
    func whatIsNotServedOfOwnSettingsIsRefused() throws {
        let client = try client()
        for (text, code) in [
            ("SET forebay.after = 'x'", "22023"), ("SET forebay.before = ''", "0A000"), ("SHOW forebay.x", "0A000"),
        ] {
            let report = #expect(throws: Report.self) { try client.query(text) }
            #expect(report?.code == code)
        }
        try client.send(
            .parse(.init(query: Array("SET forebay.after = 'x'".utf8))),
            .bind(.init()),
            .execute(portal: "", rows: 0),
            .sync
        )
        #expect(throws: Report.self) { try WireClient.rows(of: try client.untilReady()) }
        #expect(try client.query("SELECT 1") == [["1"]])
    }
}
