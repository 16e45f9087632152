import NIOHTTP1
import Synchronization
import Testing

@testable import OpsServer

@Suite struct QueryRoutesTests {
    /// What holds a connection of the read port gives it back, though nobody asks for rows.
    @Test func anAnswerToHEADIsClosed() async throws {
        let queries = OneRow()
        try await OpsFixture.run(ScriptedBackend(), queries: queries) { ops in
            let answer = try await ops.head("/v1/kpi/hourly", headers: ["authorization": "Bearer t"])
            #expect(answer.status == 200)
            #expect(answer.body == "")
            #expect(queries.open == 0)
        }
        #expect(queries.begun == 1)
    }
}

/// Answers everybody everything with one row.
private final class OneRow: QueryBackend {
    private let state = Mutex((begun: 0, open: 0))

    var begun: Int { state.withLock { $0.begun } }
    var open: Int { state.withLock { $0.open } }

    let limits = QueryLimits(rows: 10, time: .seconds(1))

    func identity(of credentials: QueryCredentials) -> String? { "somebody" }

    func run(_ order: QueryOrder) async throws(QueryFault) -> QueryResult {
        state.withLock { $0 = ($0.begun + 1, $0.open + 1) }
        return QueryResult(
            columns: [QueryResult.Column(name: "n", type: 20)],
            next: { QueryResult.Batch(rows: [[Array("1".utf8)]], isCut: false) },
            close: { self.state.withLock { $0.open -= 1 } }
        )
    }
}
