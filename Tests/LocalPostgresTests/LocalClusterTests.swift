// Method: real servers in temporary directories, without fsync. Each test makes its own cluster, because what is tested is its life.

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
}
