// Method: a real cluster of a primary and two replicas, both required, and the real proxy, which holds answers for three seconds at most. A replica's replay is paused,
// or the replica killed; what an answer says is held against what each node shows at that moment.

import Foundation
import LocalPostgres
import ProvingGround
import Synchronization
import Testing

@Suite(.serialized)
final class WaitTests {
    private let yard: Yard

    init() throws {
        yard = try WaitYard.shared.get()
    }

    private struct Reply: Decodable {
        var accepted: Int
        var receipt: String
        var waited: String?
        var repeated: Bool?
    }

    /// The same each time, so that it can be sent again under its key.
    private static func body(_ number: Int) -> String {
        #"{"time":"2026-01-01T00:00:00Z","service":"wait","request_bytes":\#(number)}"#
    }

    private func post(_ number: Int, wait: String?, key: String? = nil) throws -> (status: Int, reply: Reply) {
        let query = wait.map { "?wait=\($0)" } ?? ""
        let body = Self.body(number)
        let sent = yard.ingest.post("/v1/ingest/apirequests\(query)", body: body, type: "application/json", key: key)
        let answer = try #require(sent)
        return (answer.status, try JSONDecoder().decode(Reply.self, from: Data(answer.body.utf8)))
    }

    private func count(_ number: Int, on node: LocalNode) throws -> String {
        try node.execute(
            "SELECT count(*) FROM apirequests WHERE service = 'wait' AND request_bytes = \(number)",
            database: Yard.database
        )
    }

    private func isWhole() throws -> Bool {
        guard let status = try yard.status() else { return false }
        return status.cluster.nodes.map(\.state) == ["primary", "replica", "replica"]
            && status.lanes.allSatisfy { $0.replicated == $0.committed && $0.committed == $0.durable }
    }

    @Test
    func committedIsOnThePrimaryAndReplicatedOnEveryReplica() throws {
        try waitUntil("all is well", within: 30) { try isWhole() }
        for number in 1...5 {
            let answer = try post(number, wait: "committed")
            #expect(answer.status == 200)
            #expect(try count(number, on: yard.primary) == "1")
        }
        for number in 101...105 {
            let answer = try post(number, wait: "replicated")
            #expect(answer.status == 200)
            #expect(answer.reply.waited == nil)
            for node in yard.cluster.nodes { #expect(try count(number, on: node) == "1", "\(node.name)") }
        }
    }

    @Test
    func anAnswerWaitsForTheReplicaThatDoesNotReplay() throws {
        try waitUntil("all is well", within: 30) { try isWhole() }
        let late = yard.cluster.nodes[2]
        try late.execute("SELECT pg_wal_replay_pause()")
        defer { _ = try? late.execute("SELECT pg_wal_replay_resume()") }
        try waitUntil("the replay is paused", within: 10) {
            try late.execute("SELECT pg_get_wal_replay_pause_state()") == "paused"
        }
        let answered = Mutex<Int?>(nil)
        let ingest = yard.ingest
        Thread.detachNewThread {
            let path = "/v1/ingest/apirequests?wait=replicated"
            let answer = ingest.post(path, body: Self.body(201), type: "application/json")
            answered.withLock { $0 = answer?.status ?? 0 }
        }
        // A second request, behind the first in time, is committed while that one waits.
        try waitUntil("the first is committed", within: 10) { try count(201, on: yard.primary) == "1" }
        #expect(try post(202, wait: "committed").status == 200)
        try waitUntil("the other replica shows it", within: 10) { try count(201, on: yard.cluster.nodes[1]) == "1" }
        #expect(try count(201, on: late) == "0")
        #expect(answered.withLock { $0 } == nil)
        try late.execute("SELECT pg_wal_replay_resume()")
        try waitUntil("the first is answered", within: 10) { answered.withLock { $0 } != nil }
        #expect(answered.withLock { $0 } == 200)
        #expect(try count(201, on: late) == "1")
    }

    /// At the deadline the events are as safe as after 200 with `wait=durable`, and the answer says that this is all.
    @Test
    func withoutAReplicaTheAnswerComesAtTheDeadlineAndSaysWhatHolds() throws {
        try waitUntil("all is well", within: 30) { try isWhole() }
        let gone = yard.cluster.nodes[2]
        try gone.kill()
        let begun = ContinuousClock.now
        let answer = try post(301, wait: "replicated", key: "with-a-replica-gone")
        let took = ContinuousClock.now - begun
        #expect(answer.status == 202)
        #expect(answer.reply.waited == "durable")
        #expect(answer.reply.accepted == 1)
        #expect(took > .seconds(2.9) && took < .seconds(8), "\(took)")
        #expect(try count(301, on: yard.primary) == "1")
        #expect(try post(302, wait: "committed").status == 200)
        // What nobody shows may not leave the queue.
        let lanes = try #require(try yard.status()).lanes
        #expect(lanes.contains { ($0.replicated ?? 0) < $0.committed })
        try gone.start()
        try waitUntil("the replica shows all", within: 30) { try isWhole() }
        let again = try post(301, wait: "replicated", key: "with-a-replica-gone")
        #expect(again.status == 200)
        #expect(again.reply.repeated == true)
        #expect(again.reply.receipt == answer.reply.receipt)
        #expect(try count(301, on: yard.primary) == "1")
    }

    /// The primary away: nothing is committed, and the answer says so at the deadline; the event lands later.
    @Test
    func withoutAPrimaryCommittedComesAtTheDeadlineToo() throws {
        try waitUntil("all is well", within: 30) { try isWhole() }
        try yard.primary.stop(.fast)
        #expect(try post(401, wait: nil).status == 200)
        let answer = try post(402, wait: "committed")
        #expect(answer.status == 202)
        #expect(answer.reply.waited == "durable")
        try yard.primary.start()
        try waitUntil("all is well again", within: 60) { try isWhole() }
        #expect(try count(402, on: yard.primary) == "1")
    }
}

private enum WaitYard {
    // One test at a time uses it, as the suite is serialized.
    nonisolated(unsafe) static let shared: Result<Yard, any Error> = Result {
        atexit { try? WaitYard.shared.get().remove() }
        let yard = try Yard(Yard.Plan(replicas: 2), programs: try #require(DrillTests.programs).path())
        yard.proxyEnvironment["FOREBAY_INGEST_WAIT_TIMEOUT"] = "3s"
        try yard.startProxy()
        try yard.waitForStreams()
        try yard.cluster.waitForReplicas()
        return yard
    }
}
