// Method: a cluster of its own with a replica; each thing that can be wrong is made wrong, and the check has to name it.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing
import Topology

extension RealServerTests {
    @Suite(.serialized)
    struct ClusterCheckTests {
        static let shared: Result<LocalCluster, any Error> = Result {
            let cluster = try LocalCluster.temporary(
                ClusterPlan(replicas: 1, fsync: false, settings: ["full_page_writes": "on"])
            )
            try cluster.primary.execute("CREATE DATABASE apm")
            let administrator = try TestDatabase.connect(
                to: cluster.primary,
                as: nil,
                password: cluster.superuserPassword
            )
            try DatabaseSetup(writer: TestDatabase.writer, reader: TestDatabase.reader, tables: [Self.table]).run(
                on: administrator
            )
            try cluster.waitForReplicas()
            return cluster
        }

        static let table = TableName(schema: "public", name: "apirequests")
        let cluster: LocalCluster
        let administrator: PostgresConnection
        var check: ClusterCheck

        init() throws {
            cluster = try Self.shared.get()
            administrator = try TestDatabase.connect(to: cluster.primary, as: nil, password: cluster.superuserPassword)
            var reader = TestDatabase.writerSettings
            reader.user = TestDatabase.reader.name
            reader.password = TestDatabase.reader.password.map { .fixed($0) }
            check = ClusterCheck(
                nodes: cluster.nodes.map(TestDatabase.address),
                writer: TestDatabase.writerSettings,
                reader: reader,
                streams: [.init(name: "apirequests", table: Self.table)]
            )
        }

        private func bad(_ lines: [CheckLine]) -> [String] {
            lines.filter { $0.level != .ok }.map { "\($0.level.rawValue) \($0.subject): \($0.finding)" }
        }

        @Test
        func aGoodClusterHasOnlyItsTestSettingsToComplainAbout() throws {
            let lines = check.run()
            #expect(bad(lines) == ["warn settings: fsync is off: a crash of the machine can destroy the database"])
            #expect(lines.contains { $0.finding == "the primary is 127.0.0.1:\(cluster.primary.port)" })
            #expect(
                lines.contains { $0.subject == "replication" && $0.finding == "1 replicas receive from the primary" }
            )
            #expect(
                lines.contains {
                    $0.subject == "stream apirequests" && $0.finding == "public.apirequests has 12 columns to write"
                }
            )
            #expect(
                lines.contains { $0.subject == "partitions of apirequests" && $0.finding == "they reach 7 days ahead" }
            )
        }

        @Test
        func aNodeThatIsAway() throws {
            var check = check
            let port = try LoopbackPort.free()
            check.nodes.append(NodeAddress(host: "127.0.0.1", port: port))
            let lines = bad(check.run())
            #expect(lines.contains { $0.hasPrefix("fail node 127.0.0.1:\(port): down: connection to server") })
            #expect(lines.contains("warn replication: 1 of 2 replicas receive from the primary"))
        }

        @Test
        func wrongPasswords() throws {
            var check = check
            check.reader.password = .fixed("wrong")
            let lines = check.run()
            #expect(lines.filter { $0.level == .fail }.allSatisfy { $0.subject.hasPrefix("reader on") })
            #expect(lines.first { $0.level == .fail }?.remedy?.hasPrefix("run `forebay init`") == true)
        }

        @Test
        func onlyReplicas() throws {
            var check = check
            check.nodes = cluster.replicas.map(TestDatabase.address)
            #expect(bad(check.run()).contains("fail cluster: no node that answers is a primary"))
        }

        @Test
        func twoClusters() throws {
            var check = check
            let stranger = TestDatabase.address(try TestDatabase.cluster.primary)
            check.nodes.insert(stranger, at: 0)
            let lines = check.run()
            #expect(bad(lines).contains { $0.hasPrefix("fail node \(stranger): wrong cluster") })
            #expect(bad(lines).contains { $0.hasPrefix("fail cluster: the nodes are of different clusters") })
            // The stranger takes writes too; it is neither called a second primary nor looked into as the first.
            #expect(lines.contains { $0.finding == "the primary is 127.0.0.1:\(cluster.primary.port)" })
        }

        @Test
        func aClusterThatIsNotTheOneRemembered() throws {
            var check = check
            check.remembered = 1
            let lines = bad(check.run())
            #expect(
                check.nodes.allSatisfy { node in
                    lines.contains { $0.hasPrefix("fail node \(node): wrong cluster") && $0.hasSuffix("expected 1") }
                }
            )
            #expect(lines.contains("fail cluster: no node that answers is a primary"))
        }

        /// Neither is in the majority, so that neither is called wrong.
        @Test
        func oneNodeOfEachOfTwoClusters() throws {
            var check = check
            check.nodes = [check.nodes[0], TestDatabase.address(try TestDatabase.cluster.primary)]
            let lines = bad(check.run())
            #expect(lines.contains { $0.hasPrefix("fail cluster: 2 nodes take writes") })
            #expect(lines.contains { $0.hasPrefix("fail cluster: the nodes are of different clusters") })
        }

        @Test
        func aDatabaseWithoutTheSchema() throws {
            try cluster.primary.execute("DROP DATABASE IF EXISTS bare")
            try cluster.primary.execute("CREATE DATABASE bare")
            try cluster.waitForReplicas()
            var check = check
            check.writer.database = "bare"
            check.reader.database = "bare"
            #expect(bad(check.run()).contains("fail schema forebay: it is not there"))
        }

        @Test
        func missingRightsAndTables() throws {
            try administrator.run(
                """
                REVOKE EXECUTE ON FUNCTION forebay.claim(uuid, integer) FROM apm_writer;
                REVOKE SELECT ON public.apirequests FROM apm_reader;
                CREATE TABLE public.shapes (p point); GRANT INSERT ON public.shapes TO apm_writer
                """,
                by: .after(.seconds(5))
            )
            var check = check
            check.streams.append(.init(name: "nowhere", table: TableName(schema: "public", name: "nowhere")))
            check.streams.append(.init(name: "shapes", table: TableName(schema: "public", name: "shapes")))
            let lines = bad(check.run())
            #expect(lines.contains("fail writer apm_writer: lacks EXECUTE on forebay.claim(uuid, integer)"))
            #expect(lines.contains("fail stream apirequests: apm_reader may not read public.apirequests"))
            #expect(lines.contains { $0.hasPrefix("fail stream nowhere: table public.nowhere does not exist") })
            #expect(
                lines.contains {
                    $0.hasPrefix("fail stream shapes: table public.shapes has columns of types")
                        && $0.contains("p is point")
                }
            )
            try administrator.run(
                """
                GRANT EXECUTE ON FUNCTION forebay.claim(uuid, integer) TO apm_writer;
                GRANT SELECT ON public.apirequests TO apm_reader; DROP TABLE public.shapes
                """,
                by: .after(.seconds(5))
            )
        }

        @Test
        func partitionsThatRunOutAndSlotsThatNobodyUses() throws {
            try administrator.run(
                """
                BEGIN; CREATE TABLE kept AS SELECT * FROM forebay.daily_tables;
                CREATE TABLE public.other (time timestamptz) PARTITION BY RANGE (time);
                INSERT INTO forebay.daily_tables VALUES ('public.other'); COMMIT
                """,
                by: .after(.seconds(5))
            )
            try administrator.query("SELECT pg_create_physical_replication_slot('idle')", by: .after(.seconds(5)))
            let lines = bad(check.run())
            #expect(lines.contains("warn partitions of other: there is none for today"))
            #expect(lines.contains("warn replication: nobody uses slot idle, which keeps WAL on the disk"))
            try administrator.run(
                "DELETE FROM forebay.daily_tables WHERE table_id = 'public.other'::regclass; DROP TABLE public.other, kept",
                by: .after(.seconds(5))
            )
            try administrator.query("SELECT pg_drop_replication_slot('idle')", by: .after(.seconds(5)))
        }

        @Test
        func aReplicaThatReceivesNothing() throws {
            let replica = cluster.nodes[1]
            try administrator.run("ALTER ROLE replicator NOLOGIN", by: .after(.seconds(5)))
            try administrator.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_replication",
                by: .after(.seconds(5))
            )
            try replica.waitUntil("the receiver to be gone", within: .seconds(10)) { () throws(LocalPostgresFault) in
                try replica.execute("SELECT count(*) FROM pg_stat_wal_receiver") == "0"
            }
            let lines = bad(check.run())
            #expect(
                lines.contains {
                    $0.hasPrefix("warn node 127.0.0.1:\(replica.port): ") && $0.hasSuffix("receives nothing")
                }
            )
            try administrator.run("ALTER ROLE replicator LOGIN", by: .after(.seconds(5)))
            try replica.waitUntil("the receiver to be back", within: .seconds(20)) { () throws(LocalPostgresFault) in
                try replica.execute("SELECT count(*) FROM pg_stat_wal_receiver") == "1"
            }
        }
    }
}
