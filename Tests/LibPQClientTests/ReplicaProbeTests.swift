// Method: the probe against the primary and the replica of a real cluster, before and after a promotion.

import Delivery
import LibPQClient
import LocalPostgres
import Records
import Testing
import Topology

extension RealServerTests {
    @Suite(.serialized)
    struct ReplicaProbeTests {
        @Test
        func whatEachNodeSaysAndWhereTheWriterGoes() throws {
            let cluster = try LocalCluster.temporary(ClusterPlan(replicas: 1, fsync: false))
            defer { try? cluster.remove() }
            try cluster.primary.execute("CREATE DATABASE apm")
            let administrator = try TestDatabase.connect(
                to: cluster.primary,
                as: nil,
                password: cluster.superuserPassword
            )
            try DatabaseSetup(writer: TestDatabase.writer, reader: TestDatabase.reader, tables: []).run(
                on: administrator
            )
            let replica = cluster.nodes[1]
            let probes = cluster.nodes.map {
                ReplicaProbe(node: TestDatabase.address($0), settings: TestDatabase.writerSettings)
            }
            let lane = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(5))
            let other = LaneKey(queue: QueueID(high: 3, low: 4), lane: LaneID(0))

            let destination = LedgerDestination(
                directory: NamedPrimary(TestDatabase.address(cluster.primary)),
                settings: TestDatabase.writerSettings
            )
            let epoch = try destination.claim(lane).epoch
            _ = try destination.flush(Flush(lane: lane, epoch: epoch, from: .none, to: Offset(42), parts: []))
            _ = try destination.claim(other)
            #expect(destination.node == TestDatabase.address(cluster.primary))
            try cluster.waitForReplicas()

            let states = try probes.map { try $0.observe(queues: [lane.queue]).state.get() }
            #expect(states.map(\.isInRecovery) == [false, true])
            #expect(states.map(\.timeline) == [1, 1])
            #expect(states.map(\.isReceiving) == [false, true])
            #expect(states[0].systemIdentifier == states[1].systemIdentifier)
            #expect(states[0].systemIdentifier > 0)
            #expect(
                states.map(\.ledger) == [
                    [lane: LedgerRow(epoch: epoch, position: Offset(42))],
                    [lane: LedgerRow(epoch: epoch, position: Offset(42))],
                ]
            )
            #expect(states[0].replayLag == nil)
            #expect(states[1].replayLag != nil)
            #expect(states.allSatisfy { abs($0.clockOffset / .milliseconds(1)) < 1000 })

            try cluster.primary.kill()
            try replica.promote()
            guard case .failure = probes[0].observe(queues: []).state else {
                Issue.record("a dead node answered")
                return
            }
            let promoted = try probes[1].observe(queues: [lane.queue]).state.get()
            #expect(!promoted.isInRecovery)
            #expect(promoted.timeline == 2)
            let next = LedgerDestination(
                directory: NamedPrimary(TestDatabase.address(replica)),
                settings: TestDatabase.writerSettings
            )
            let claim = try next.claim(lane)
            #expect(claim.position == Offset(42))
            #expect(claim.epoch > epoch)
            #expect(next.node == TestDatabase.address(replica))
        }
    }
}
