// Method: real servers in temporary directories, without fsync. Each test makes its own cluster, because what is tested is its life.

import Glibc
import LocalPostgres
import Testing

@Suite(.serialized)
struct LocalClusterTests {
    @Test
    func oneNodeLivesDiesAndRecovers() throws {
        let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
        defer { try? cluster.remove() }
        try cluster.primary.execute("CREATE TABLE t AS SELECT 1 AS n")
        #expect(try cluster.primary.execute("SELECT n, 'x' FROM t") == "1|x")

        try cluster.primary.kill()
        #expect(cluster.primary.process == nil)
        try cluster.primary.start()
        #expect(try cluster.primary.execute("SELECT n FROM t") == "1")

        try cluster.primary.restart(.immediate)
        #expect(try cluster.primary.execute("SELECT n FROM t") == "1")
    }

    @Test
    func aReplicaFollowsAndTakesOver() throws {
        let cluster = try LocalCluster.temporary(ClusterPlan(replicas: 1, fsync: false))
        defer { try? cluster.remove() }
        let replica = cluster.nodes[1]
        try cluster.primary.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
        try cluster.waitForReplicas()
        #expect(try replica.execute("SELECT count(*) FROM t") == "1000")
        #expect(try cluster.primary.execute("SELECT slot_name, active FROM pg_replication_slots") == "replica_1|t")

        try cluster.primary.kill()
        try replica.promote()
        try replica.execute("INSERT INTO t VALUES (1001)")
        #expect(try replica.execute("SELECT max(n), pg_is_in_recovery() FROM t") == "1001|f")
    }

    /// The old primary goes on by itself, with rows that nobody else has: it comes back without them.
    @Test
    func anOldPrimaryIsRewound() throws {
        let needed = ["wal_log_hints": "on", "full_page_writes": "on"]
        let plan = ClusterPlan(replicas: 1, fsync: false, settings: needed)
        let cluster = try LocalCluster.temporary(plan)
        defer { try? cluster.remove() }
        let (old, new) = (cluster.nodes[0], cluster.nodes[1])
        try old.execute("CREATE TABLE t AS SELECT 1 AS n")
        try cluster.waitForReplicas()
        try new.promote()
        #expect(!new.isReplica)
        try old.execute("INSERT INTO t VALUES (2)")
        try new.execute("INSERT INTO t VALUES (3)")

        try old.kill()
        try cluster.rewind(old, to: new)
        try cluster.waitForStream(old, from: new)
        #expect(old.isReplica)
        #expect(try old.execute("SELECT n FROM t ORDER BY n") == "1\n3")
        try new.execute("INSERT INTO t VALUES (4)")
        try old.waitUntil("it follows", within: .seconds(30)) { () throws(LocalPostgresFault) in
            try old.execute("SELECT max(n) FROM t") == "4"
        }
    }

    @Test
    func aFailedStatementSaysWhy() throws {
        let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
        defer { try? cluster.remove() }
        let fault = #expect(throws: LocalPostgresFault.self) { try cluster.primary.execute("SELECT nothing") }
        #expect(fault?.description.contains("column \"nothing\" does not exist") == true)
    }

    @Test
    func nothingIsLeftBehind() throws {
        let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
        let process = try #require(cluster.primary.process)
        try cluster.remove()
        #expect(access(cluster.directory, F_OK) != 0)
        #expect(access(cluster.directory + ".lock", F_OK) != 0)
        #expect(cluster.primary.process == nil)
        // Gone, or a zombie that the system has yet to reap.
        #expect(kill(process, 0) != 0 || access("/proc/\(process)/cwd", F_OK) != 0)
    }
}
