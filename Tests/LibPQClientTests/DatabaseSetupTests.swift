// Method: the set-up runs against databases of the shared server in every state that an earlier run can have left: none, half, whole,
// newer, edited. What it promises is then tried as the roles that it made.

import DatabaseSchema
import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing

extension RealServerTests {
    @Suite(.serialized)
    struct DatabaseSetupTests {
        let connection: PostgresConnection
        let setup = DatabaseSetup(
            writer: TestDatabase.writer,
            reader: TestDatabase.reader,
            tables: [TableName(schema: "public", name: "apirequests")],
            partitionsAhead: 2
        )

        init() throws {
            let cluster = try TestDatabase.cluster
            try cluster.primary.execute("DROP DATABASE IF EXISTS setup WITH (FORCE)")
            try cluster.primary.execute("CREATE DATABASE setup")
            connection = try Self.connect(
                as: DatabaseRole(name: LocalCluster.superuser, password: cluster.superuserPassword)
            )
        }

        private static func connect(as role: DatabaseRole) throws -> PostgresConnection {
            try PostgresConnection(
                to: TestDatabase.address(try TestDatabase.cluster.primary),
                settings: ConnectionSettings(
                    database: "setup",
                    user: role.name,
                    password: role.password.map { .fixed($0) }
                ),
                deadline: .after(.seconds(5))
            )
        }

        private func run(_ setup: DatabaseSetup) throws -> [String] {
            var lines: [String] = []
            try setup.run(on: connection) { lines.append($0) }
            return lines
        }

        private func count(_ sql: String) throws -> Int64? {
            try connection.query(sql, by: .after(.seconds(5))).rows.first?.integer(0)
        }

        @Test
        func everyFileIsAMigrationAndInOrder() throws {
            // The test's own place tells where the package is.
            let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            let files = try listing("/\(root)/deploy/sql")
            #expect(Migration.all.map(\.fileName) == files)
            #expect(Migration.all.map(\.version) == Array(1...files.count))
        }

        @Test
        func twiceIsAsGoodAsOnce() throws {
            let first = try run(setup)
            #expect(first.contains("migration 0002_ledger.sql: applied"))
            #expect(
                first.contains {
                    $0.hasPrefix("partitions: made public.apirequests of ")
                        || $0.hasPrefix("partitions: made apirequests of ")
                }
            )
            let second = try run(setup)
            #expect(second.contains("migrations: all \(Migration.all.count) are applied"))
            #expect(second.contains("partitions: all there"))
            #expect(second.contains("role apm_writer: exists, password set"))
            #expect(try count("SELECT count(*) FROM forebay.migrations") == Int64(Migration.all.count))
        }

        @Test
        func aRunThatBrokeOffIsFinishedByTheNext() throws {
            var half = setup
            half.migrations = Array(Migration.all.prefix(3))
            #expect(throws: SetupFault.self) { try run(half) }
            #expect(try count("SELECT count(*) FROM forebay.migrations") == 3)
            #expect(try run(setup).contains("migration 0004_daily_partitions.sql: applied"))
        }

        @Test
        func aMigrationThatFailsLeavesNothingBehind() throws {
            var broken = setup
            let sql = "CREATE TABLE forebay.half (n int); SELECT 1 / 0"
            broken.migrations = Array(Migration.all.prefix(2)) + [Migration(version: 3, name: "broken", sql: sql)]
            let fault = #expect(throws: SetupFault.self) { try run(broken) }
            #expect(fault?.step == "migration 0003_broken.sql")
            #expect(fault?.reason == "division by zero (SQLSTATE 22012)")
            #expect(try count("SELECT count(*) FROM pg_class WHERE relname = 'half'") == 0)
            #expect(try run(setup).contains("migration 0003_batch_keys.sql: applied"))
        }

        @Test
        func anEditedMigrationIsNoticed() throws {
            _ = try run(setup)
            var edited = setup
            let ledger = edited.migrations[1]
            edited.migrations[1] = Migration(version: ledger.version, name: ledger.name, sql: ledger.sql + " ")
            let fault = #expect(throws: SetupFault.self) { try run(edited) }
            #expect(fault?.reason.hasPrefix("it was applied with other contents") == true)
        }

        @Test
        func aNewerDatabaseIsNotTouched() throws {
            _ = try run(setup)
            var older = setup
            older.migrations.removeLast()
            let fault = #expect(throws: SetupFault.self) { try run(older) }
            #expect(fault?.remedy == "use the newer Forebay that made it")
        }

        @Test
        func aDryRunChangesNothing() throws {
            var dry = setup
            dry.dryRun = true
            let lines = try run(dry)
            #expect(lines.contains("migration 0001_migrations.sql: would be applied"))
            #expect(lines.contains("role apm_writer: exists, password would be set"))
            #expect(try count("SELECT count(*) FROM pg_namespace WHERE nspname = 'forebay'") == 0)
        }

        @Test
        func oneAtATime() throws {
            let other = try Self.connect(
                as: DatabaseRole(name: LocalCluster.superuser, password: try TestDatabase.cluster.superuserPassword)
            )
            try other.query("SELECT pg_advisory_lock(\(0x466F_7265_6261_7901))", by: .after(.seconds(5)))
            let fault = #expect(throws: SetupFault.self) { try run(setup) }
            #expect(fault?.reason == "another set-up of this database is under way")
        }

        @Test
        func aMissingStreamTableIsNamed() throws {
            var setup = setup
            setup.tables.append(TableName(schema: "public", name: "nothing"))
            let fault = #expect(throws: SetupFault.self) { try run(setup) }
            #expect(fault?.description.hasPrefix("grants on public.nothing: the table does not exist") == true)
        }

        @Test
        func aSerialColumnCanBeFilledByTheWriter() throws {
            try connection.run("CREATE TABLE public.numbered (id serial, t text)", by: .after(.seconds(5)))
            var setup = setup
            setup.tables = [TableName(schema: "public", name: "numbered")]
            _ = try run(setup)
            let writer = try Self.connect(as: TestDatabase.writer)
            try writer.query("INSERT INTO public.numbered (t) VALUES ('a')", by: .after(.seconds(5)))
            #expect(try count("SELECT id FROM public.numbered") == 1)
        }

        @Test
        func theRolesMayDoWhatTheyNeedAndNoMore() throws {
            _ = try run(setup)
            let row =
                "INSERT INTO public.apirequests (time, service, endpoint, method, status_code, latency_ms) "
                + "VALUES (now(), 's', 'e', 'GET', 200, 1)"
            let writer = try Self.connect(as: TestDatabase.writer)
            try writer.run(row, by: .after(.seconds(5)))
            let reader = try Self.connect(as: TestDatabase.reader)
            for readable in [
                "public.apirequests", "public.apirequests_hourly", "public.apirequests_daily", "forebay.ledger",
            ] {
                _ = try reader.query("SELECT count(*) FROM \(readable)", by: .after(.seconds(5)))
            }
            let forbidden = [
                (writer, "UPDATE forebay.ledger SET position = 0"),
                (writer, "SELECT forebay.make_partition('apirequests', '2020-01-01')"),
                (writer, "SELECT forebay.drop_day('apirequests', 'public.apirequests_default', '1 day')"),
                (writer, "SELECT forebay.days_over('apirequests', '1 day')"),
                (reader, "SELECT forebay.make_day('apirequests', '2020-01-01', 1)"),
                (writer, "DELETE FROM public.apirequests"), (writer, "TRUNCATE public.apirequests"),
                (writer, "INSERT INTO forebay.daily_tables VALUES ('pg_class')"),
                (writer, "CREATE TABLE forebay.mine (n int)"),
                (reader, "SELECT * FROM forebay.claim('00000000-0000-0000-0000-000000000000', 0)"),
                (reader, "SET default_transaction_read_only = off; SELECT forebay.maintain_partitions(1, NULL)"),
            ]
            for (connection, sql) in forbidden {
                let fault = #expect(throws: ConnectionFault.self, "\(sql)") {
                    try connection.run(sql, by: .after(.seconds(5)))
                }
                guard case .server(let error) = fault else { continue }
                #expect(error.sqlState == "42501", "\(sql): \(error.message)")
            }
            let rejected = #expect(throws: ConnectionFault.self) {
                try reader.run("SET default_transaction_read_only = on; \(row)", by: .after(.seconds(5)))
            }
            #expect(rejected?.description.contains("25006") == true)
        }

        @Test
        func aSuperuserIsNoWriter() throws {
            var setup = setup
            setup.writer = DatabaseRole(name: LocalCluster.superuser, password: nil)
            let fault = #expect(throws: SetupFault.self) { try run(setup) }
            #expect(fault?.reason == "the writer is a superuser")
        }

        @Test
        func theClearPasswordNeverReachesTheServersLog() throws {
            let log = try TestDatabase.cluster.primary.logFile
            try connection.run("SET log_statement = 'all'", by: .after(.seconds(5)))
            _ = try run(setup)
            let text = try contents(log)
            #expect(text.contains("ALTER ROLE \"apm_writer\" LOGIN PASSWORD 'SCRAM-SHA-256$"))
            #expect(!text.contains("writer's secret"))
            #expect(!text.contains("writer''s secret"))
        }
    }
}
