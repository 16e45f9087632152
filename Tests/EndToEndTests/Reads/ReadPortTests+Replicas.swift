// Method: a replica is brought to cancel a statement because what it replays removes rows that the statement's snapshot may still see.

import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    /// PostgreSQL manual, "Handling Query Conflicts": with no delay allowed, a clean-up on the primary ends the statements on a replica that could see
    /// what it cleans up.
    @Test(arguments: [false, true])
    func aStatementThatConflictsWithRecoveryIsRunElsewhere(isPrepared: Bool) throws {
        let replicas = yard.cluster.nodes.filter { $0.isReplica }
        for node in replicas {
            _ = try node.execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
            _ = try node.execute("SELECT pg_reload_conf()")
        }
        defer {
            for node in replicas {
                _ = try? node.execute("ALTER SYSTEM RESET max_standby_streaming_delay")
                _ = try? node.execute("SELECT pg_reload_conf()")
            }
        }
        try yard.query("CREATE TABLE conflict AS SELECT g FROM generate_series(1, 1000) g")
        defer { _ = try? yard.query("DROP TABLE conflict") }
        try yard.query("GRANT SELECT ON conflict TO apm_reader")
        try yard.cluster.waitForReplicas()
        let reruns = try yard.metric("forebay_read_reruns_total")
        let conflicts = try conflicts(on: replicas)

        let client = try client()
        let text = Array("SELECT count(*) FROM conflict, pg_sleep(3)".utf8)
        if isPrepared {
            // A name that is given, and one that is taken away, within what is run again.
            try client.send(.parse(.init(name: "old", query: Array("SELECT 1".utf8))), .sync)
            _ = try client.untilReady()
            try client.send(
                .parse(.init(query: Array("DEALLOCATE old".utf8))),
                .bind(.init()),
                .execute(portal: "", rows: 0),
                .parse(.init(name: "new", query: text)),
                .bind(.init(statement: "new")),
                .execute(portal: "", rows: 0),
                .sync
            )
        } else {
            try client.send(.query(text))
        }
        try waitUntil("the statement runs", within: 10) { try self.sleepers() == 1 }
        try yard.query("DELETE FROM conflict WHERE g <= 400")
        try yard.query("VACUUM conflict")
        #expect(try WireClient.rows(of: try client.untilReady()) == [["600"]])

        #expect(try yard.metric("forebay_read_reruns_total") > reruns)
        // A backend tells its statistics when it is idle, or ends.
        try waitUntil("the replica has counted the conflict", within: 30) {
            try self.conflicts(on: replicas) > conflicts
        }
        #expect(try client.query("SELECT 1") == [["1"]])
    }

    private func conflicts(on replicas: [LocalNode]) throws -> Int {
        try replicas.map { node in
            Int(try node.execute("SELECT sum(conflicts) FROM pg_stat_database WHERE datname = '\(Yard.database)'")) ?? 0
        }.reduce(0, +)
    }
}
