// Method: what `make run` does: up, up again, a crash in between, down, and a port that is taken. In a directory of its own.

import Glibc
import LocalPostgres
import Testing

@Suite(.serialized)
final class PersistentClusterTests {
    private let directory = "/tmp/forebay-persistent-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    deinit {
        try? PersistentCluster(directory: directory).destroy()
        for name in ["writer-password", "reader-password", "cluster.lock"] {
            unlink("\(directory)/\(name)")
        }
        rmdir(directory)
    }

    private func plan() throws -> PersistentCluster.Plan {
        PersistentCluster.Plan(port: try LoopbackPort.free(), replicas: 1, fsync: false)
    }

    @Test
    func upIsTheSameASecondTimeAndMendsWhatIsDown() throws {
        let place = try PersistentCluster(directory: directory)
        #expect(place.existing() == nil)
        let plan = try plan()
        let first = try place.up(plan)
        #expect(first.outcome == .made)
        #expect(try place.up(plan).outcome == .wasRunning)

        try first.cluster.primary.execute("CREATE TABLE t AS SELECT 1 AS n", database: "apm")
        try first.cluster.primary.kill()
        let third = try place.up(plan)
        #expect(third.outcome == .started)
        #expect(try third.cluster.primary.execute("SELECT n FROM t", database: "apm") == "1")

        try place.down()
        #expect(third.cluster.nodes.allSatisfy { $0.process == nil })
        #expect(place.existing() != nil)
        try place.destroy()
        #expect(place.existing() == nil)
    }

    @Test
    func portsThatAreTakenArePassedOver() throws {
        let taken = try LocalCluster.temporary(ClusterPlan(fsync: false))
        defer { try? taken.remove() }
        var plan = try plan()
        plan.port = taken.primary.port
        var lines: [String] = []
        let (cluster, _) = try PersistentCluster(directory: directory).up(plan) { lines.append($0) }
        #expect(!cluster.nodes.map(\.port).contains(taken.primary.port))
        #expect(lines.first?.hasPrefix("port \(taken.primary.port) is taken; the cluster gets ") == true)
    }

    @Test
    func aPortThatWasTakenMeanwhileIsNamed() throws {
        let place = try PersistentCluster(directory: directory)
        let (cluster, _) = try place.up(try plan())
        try place.down()
        let intruder = try LocalCluster.temporary(ClusterPlan(ports: [cluster.primary.port], fsync: false))
        defer { try? intruder.remove() }
        let fault = #expect(throws: LocalPostgresFault.self) { try place.up(try plan()) }
        #expect(
            fault?.description.hasPrefix("port \(cluster.primary.port) of primary is taken by another program") == true
        )
    }

    /// What an `up` that was killed has left behind is no cluster, and no obstacle.
    @Test
    func aHalfMadeClusterIsMadeAnew() throws {
        let place = try PersistentCluster(directory: directory)
        let plan = try plan()
        let (half, _) = try place.up(plan)
        unlink("\(place.dataDirectory)/ports")
        #expect(place.existing() == nil)
        let (whole, outcome) = try place.up(plan)
        #expect(outcome == .made)
        #expect(try whole.primary.execute("SELECT 1") == "1")
        #expect(half.superuserPassword != whole.superuserPassword)
    }
}
