// Method: statements and what they leave behind, as pairs; each word that counts also where it does not.

import PostgresWire
import Testing

@testable import ReadProxy

@Suite
struct StatementTraitsTests {
    private func traits(_ text: String) -> StatementTraits {
        Array(text.utf8).withUnsafeBytes { StatementTraits(of: $0) }
    }

    @Test(arguments: [
        "", ";", "SELECT 1", "select abalance from pgbench_accounts where aid = 7;",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "BEGIN; SELECT 1; COMMIT", "SELECT 'SET x = 1; LISTEN y'", "-- SET x\nSELECT 1",
        "/* LISTEN /* a */ b */ SELECT 1",
        "SELECT $$ set_config $$, $a$ $$ pg_advisory_lock $a$", "SELECT E'\\'; SET x = 1'", "SELECT \"set\" FROM t",
        "SET LOCAL work_mem = '1MB'", "SET TRANSACTION READ ONLY", "SHOW search_path", "EXPLAIN SELECT 1",
        "COPY t TO STDOUT", "DECLARE c CURSOR FOR SELECT 1", "SELECT hold FROM t", "SELECT $1", "SELECT 'a''b;SET x'",
        "SELECT 1 /* unended", "SELECT 'unended", "SELECT pg_advisory_xact_lock(1)", "VALUES (1)", "FETCH 1 FROM c",
        "BEGIN READ ONLY", "BEGIN; SELECT write FROM t",
        "UNLISTEN *",
    ])
    func nothingIsLeft(text: String) {
        #expect(traits(text).isEmpty, "\(text)")
    }

    @Test(arguments: [
        "SET work_mem = '1MB'", "set session application_name to 'UTC'", "RESET work_mem", "SELECT 1; SET x = 1",
        "/* a */ SET x = ISO", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ";;SET x TO y",
        "SET a = 1; SET LOCAL b = 2",
    ])
    func settings(text: String) {
        #expect(traits(text) == .settings, "\(text)")
    }

    /// Statements that are prepared behind these may be others than before.
    @Test(arguments: [
        "SET search_path = public", "set session timezone to 'UTC'", "RESET ALL", "SET TIME ZONE 'UTC'",
        "/* a */ SET DateStyle = ISO", "SELECT 1; SET \"IntervalStyle\" TO iso_8601", "SET SCHEMA 'public'",
        "SET NAMES 'LATIN1'", "RESET standard_conforming_strings", "SET XML OPTION DOCUMENT",
    ])
    func settingsThatStatementsAreReadUnder(text: String) {
        #expect(traits(text) == [.settings, .reading], "\(text)")
    }

    @Test
    func settingsOfATransactionThatStatementsAreReadUnder() {
        #expect(traits("BEGIN; SET LOCAL TimeZone = 'UTC'") == .reading)
        #expect(traits("SELECT timezone('UTC', now()) FROM search_path").isEmpty)
    }

    @Test
    func whatStatementsAreReadUnder() {
        let plain = SessionSettings(["application_name": "a", "work_mem": "1MB"])
        #expect(plain.reading == SessionSettings([:]).reading)
        let tokyo = SessionSettings(["application_name": "a", "timezone": "Asia/Tokyo"])
        #expect(tokyo.reading == SessionSettings(["timezone": "Asia/Tokyo", "work_mem": "1MB"]).reading)
        #expect(tokyo.reading != plain.reading)
        #expect(tokyo.reading != SessionSettings(["timezone": "UTC"]).reading)
        #expect(SessionSettings(["postgis.backend": "x"]).reading != plain.reading)
    }

    @Test(arguments: [
        "LISTEN a", "PREPARE a AS SELECT 1", "LOAD 'x'", "DO $$ BEGIN END $$", "CALL f()",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CREATE TEMP TABLE t (a int)", "create temporary view v as select 1",
        "SELECT 1 INTO TEMP t", "SELECT set_config('a', 'b', false)", "SELECT pg_catalog.set_config('a', 'b', false)",
        "SELECT \"set_config\"('a', 'b', false)", "SELECT pg_advisory_lock(1)", "select PG_TRY_ADVISORY_LOCK_SHARED(1)",
        "EXPLAIN ANALYZE SELECT pg_advisory_lock(1)", "SELECT 1; LISTEN a",
    ])
    func pins(text: String) {
        #expect(traits(text) == .pins, "\(text)")
    }

    @Test(
        arguments: [
            ("SET ROLE x", StatementTraits([.settings, .pins])), ("RESET ROLE", [.settings, .pins]),
            ("SET SESSION AUTHORIZATION x", [.settings, .pins]), ("SET app.tenant = '7'", [.settings, .pins]),
            ("SET \"app.tenant\" = '7'", [.settings, .pins]), ("SET \"app\".\"tenant\" = '7'", [.settings, .pins]),
            ("SET app . tenant = '7'", [.settings, .pins]), ("SET app/* a */.\"b\" TO c", [.settings, .pins]),
            ("SET U&\"app!002Etenant\" UESCAPE '!' = '7'", [.settings, .pins]),
            ("RESET \"app\".tenant", [.settings, .pins]), ("SET work_mem = 1.5", .settings),
            ("SELECT U&\"set\\005Fconfig\"('a', 'b', false)", .pins), ("SELECT t.a, u & \"t\".b FROM \"s\".t", []),
            ("DISCARD ALL", [.settings, .deallocates]), ("DEALLOCATE ALL", .deallocates),
            ("SET default_transaction_read_only = off", [.settings, .writes]),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", [.settings, .writes]),
            ("BEGIN READ WRITE", .writes), ("start transaction isolation level serializable, read write", .writes),
            ("SELECT 1; BEGIN; SET TRANSACTION READ WRITE", .writes),
            ("SET LOCAL transaction_read_only = off", .writes),
            ("SET forebay.after = 'x'", [.settings, .own]), ("SHOW forebay.nodes", .own),
        ] as [(String, StatementTraits)]
    )
    func others(text: String, expected: StatementTraits) {
        #expect(traits(text) == expected, "\(text)")
    }

    @Test
    func everyPrefixOfAStatementCanBeLookedAt() {
        let text =
            "SELECT E'\\'', $a$ x $a$ /* c /* d */ */ -- e\n; SET \"a\".b = 'c'; SELECT set_config('a', 'b', true)"
        for end in text.utf8.indices { _ = traits(String(text[..<end])) }
    }

    @Test
    func settingsAreMadeOutOfOthers() {
        let first = SessionSettings(["timezone": "UTC", "search_path": "a, b"])
        let second = SessionSettings(["timezone": "it's\\", "work_mem": "4096"])
        #expect(
            second.statements(from: first)
                == "RESET \"search_path\";SELECT pg_catalog.set_config('timezone', E'it''s\\\\', false), "
                + "pg_catalog.set_config('work_mem', '4096', false)"
        )
        #expect(SessionSettings([:]).statements(from: first) == "RESET \"search_path\";RESET \"timezone\";")
    }

    @Test
    func settingsOfAStartupPacket() throws {
        let startup = StartupMessage(parameters: [
            .init("user", "u"), .init("database", "d"), .init("application_name", "psql"), .init("_pq_.x", "1"),
            .init("options", "-c geqo=off --search_path=a\\ b -cwork_mem=1MB"), .init("TimeZone", "UTC"),
        ])
        #expect(
            try SessionSettings.of(startup) == [
                "application_name": "psql", "geqo": "off", "search_path": "a b", "work_mem": "1MB", "timezone": "UTC",
            ]
        )
    }

    @Test(arguments: [
        ("options", "-c default_transaction_read_only=off"), ("options", "--transaction-read-only=off"),
        ("options", "-e"),
        ("options", "-c geqo"), ("replication", "database"), ("role", "x"), ("Session_Authorization", "x"),
    ])
    func settingsThatAreRefused(name: String, value: String) {
        #expect(throws: Report.self) { try SessionSettings.of(StartupMessage(parameters: [.init(name, value)])) }
    }

    @Test
    func usersOfAFile() throws {
        let verifier = ScramVerifier(password: "x", salt: [1, 2, 3]).description
        let users = try ReadUsers(parsing: Array("# who\ngrafana \(verifier)\n\napp a b c\n".utf8)) { [7] }
        #expect(users["grafana"]?.description == verifier)
        #expect(users["app"] == ScramVerifier(password: "a b c", salt: [7]))
        #expect(users["nobody"] == nil && users.count == 2)
    }

    @Test(arguments: ["a", "a ", " a", "a SCRAM-SHA-256$x", "a b\na c"])
    func usersThatAreRefused(text: String) {
        #expect(throws: ReadUsers.Fault.self) { try ReadUsers(parsing: Array(text.utf8)) { [7] } }
    }
}
