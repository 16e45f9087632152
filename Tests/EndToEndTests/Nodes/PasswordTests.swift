// Method: a real cluster of a primary and a replica, the real proxy with a password in a file, and an agent or a client. The password changes in PostgreSQL, all connections of the
// role are ended, and the file follows late: in between nobody is let in. The proxy is never started anew.

import Foundation
import LocalPostgres
import ProvingGround
import Testing

@Suite(.serialized)
struct PasswordTests {
    /// Found by reading: the file was read once, so that after a change the next failover shut the proxy out of every node until it was started anew.
    @Test
    func theWritersPasswordChangesWithoutARestart() throws {
        let yard = try Yard(Yard.Plan(replicas: 1), programs: try #require(DrillTests.programs).path())
        defer { try? yard.remove() }
        let file = "\(yard.directory)/writer"
        try yard.startProxy()
        try yard.waitForStreams()
        let agent = SteadyAgent(yard)
        try yard.query("ALTER ROLE apm_writer PASSWORD 'another'")
        try yard.query("ALTER TABLE apirequests ADD COLUMN shard integer")
        try yard.cluster.waitForReplicas()
        try endConnections(of: "apm_writer", yard)
        try waitUntil("every node refuses the old password", within: 30) {
            try nodes(of: yard).allSatisfy { $0.state == "wrong password" }
        }

        try FileManager.default.removeItem(atPath: file)
        try waitUntil("the status says that there is no file", within: 30) {
            try nodes(of: yard).allSatisfy {
                $0.state == "wrong password" && $0.reason?.contains("\(file) (No such file or directory)") == true
            }
        }
        // Only a look at the catalogue, as the writer, can make it known.
        #expect(postShard(to: yard) == 400)

        try Data("another\n".utf8).write(to: URL(filePath: file), options: .atomic)
        try waitUntil("every node lets the watch in", within: 30) {
            try nodes(of: yard).map(\.state) == ["primary", "replica"]
        }
        try waitUntil("the new column is known", within: 30) { postShard(to: yard) == 200 }
        try agent.stop()
        try yard.waitForDrain(within: 60)
        let count = agent.acknowledged.count
        #expect(agent.refused.isEmpty)
        #expect(try SteadyAgent.rows(in: yard) == "\(count)|\(count)")
        #expect(try yard.status()?.conservation.difference == 0)
    }

    /// Of the connections of the read port to the nodes.
    @Test
    func theReadersPasswordChangesLateAndWithoutARestart() throws {
        let yard = try Yard(Yard.Plan(replicas: 1), programs: try #require(DrillTests.programs).path())
        defer { try? yard.remove() }
        try yard.startProxy()
        try yard.waitForStreams()
        #expect(try yard.readClient().query("SELECT 1") == [["1"]])
        try yard.query("ALTER ROLE apm_reader PASSWORD 'another'")
        try yard.cluster.waitForReplicas()
        try endConnections(of: "apm_reader", yard)
        #expect(throws: (any Error).self) { try yard.readClient().query("SELECT 1") }
        #expect(try String(contentsOfFile: yard.proxyLog, encoding: .utf8).contains("password authentication failed"))

        try Data("another".utf8).write(to: URL(filePath: "\(yard.directory)/reader"), options: .atomic)
        try waitUntil("reads go on", within: 30) { (try? yard.readClient().query("SELECT 1")) == [["1"]] }
    }

    private func endConnections(of role: String, _ yard: Yard) throws {
        for node in yard.cluster.nodes {
            try node.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)'")
        }
    }

    /// An event with a value for the new column; answers the status.
    private func postShard(to yard: Yard) -> Int? {
        let event = #"{"time":"2026-01-01T00:00:00Z","service":"sharded","shard":1}"#
        return yard.ingest.post("/v1/ingest/apirequests", body: event, type: "application/json")?.status
    }

    private func nodes(of yard: Yard) throws -> [ProxyStatus.Node] {
        try #require(try yard.status()).cluster.nodes
    }
}
