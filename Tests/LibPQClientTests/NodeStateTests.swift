// Method: bring one real node into every state that keeps it from answering, and look at the word that the probe has for it, and at the time it takes.

import LibPQClient
import LocalPostgres
import Testing
import Topology

extension RealServerTests {
    @Suite(.serialized)
    struct NodeStateTests {
        private func kind(
            _ node: NodeAddress,
            _ change: (inout ConnectionSettings) -> Void = { _ in }
        ) -> NodeFault.Kind? {
            var settings = TestDatabase.writerSettings
            change(&settings)
            let probe = ReplicaProbe(node: node, settings: settings, timeout: .milliseconds(500))
            if case .failure(let fault) = probe.observe(queues: []).state { return fault.kind }
            return nil
        }

        @Test
        func everyStateHasItsWord() throws {
            let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
            defer { try? cluster.remove() }
            let node = cluster.primary
            let address = TestDatabase.address(node)
            try node.execute("CREATE DATABASE apm")
            let password = try #require(TestDatabase.writer.password).replacing("'", with: "''")
            try node.execute("CREATE ROLE apm_writer LOGIN PASSWORD '\(password)'")
            #expect(kind(address) == nil)
            #expect(kind(address) { $0.password = .fixed("wrong") } == .wrongPassword)
            #expect(
                kind(address) {
                    $0.password = .asked { () throws(ConnectionFault) in throw .noPassword("No such file") }
                } == .wrongPassword
            )
            #expect(kind(address) { $0.database = "nowhere" } == .notAllowed)
            try node.execute("ALTER ROLE apm_writer CONNECTION LIMIT 0")
            #expect(kind(address) == .tooManyConnections)
            try node.execute("ALTER ROLE apm_writer CONNECTION LIMIT -1 NOLOGIN")
            #expect(kind(address) == .notAllowed)
            try node.execute("ALTER ROLE apm_writer LOGIN")
            #expect(kind(address) == nil)

            node.pause()
            let begun = ContinuousClock.now
            #expect(kind(address) == .hung)
            #expect(ContinuousClock.now - begun < .seconds(2))
            node.resume()
            #expect(kind(address) == nil)

            try node.kill()
            #expect(kind(address) == .down)
            #expect(kind(NodeAddress(host: "no-such-host.invalid", port: 5432)) == .down)
        }

        /// A name with two addresses, of which one leads nowhere: localhost is ::1 and 127.0.0.1 on most machines, and PostgreSQL listens on the second only.
        @Test
        func aNameIsFollowedToTheAddressThatAnswers() throws {
            let node = try TestDatabase.cluster.primary
            let named = NodeAddress(host: "localhost", port: node.port)
            let probe = ReplicaProbe(node: named, settings: TestDatabase.writerSettings)
            #expect(try probe.observe(queues: []).state.get().isInRecovery == false)
        }
    }
}
