// Method: a server of its own, and as many events as a few seconds allow; `make fuzz TARGET=json-postgres` takes longer over it.

import FuzzTargets
import IngestFormats
import LibPQClient
import LocalPostgres
import Records
import Testing
import Topology

@Suite struct PostgresComparisonTests {
    @Test func whatIsAcceptedPostgreSQLStoresWithTheSameValue() throws {
        let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
        defer { try? cluster.remove() }
        let comparison = try PostgresComparison(try connect(to: cluster), directory: cluster.directory)
        let found = try Inputs.of("json-postgres", in: "Findings").map(\.bytes)
        let seeds = try Inputs.of("json", in: "Seeds").map { Array($0.bytes.dropFirst(2)) }
        var generator = EventGenerator(seed: 1)
        for plan in PostgresComparison.streams {
            let made = (0..<200).map { _ in generator.event(for: plan.schema.columns) }
            let changed = made.map { generator.mutant(of: $0) }
            try comparison.compare(found + seeds + made + changed, plan)
        }
        #expect(comparison.tally.accepted > comparison.tally.events / 10, "\(comparison.tally)")
        #expect(comparison.tally.undecided < comparison.tally.accepted / 10, "\(comparison.tally)")
    }

    private func connect(to cluster: LocalCluster) throws -> PostgresConnection {
        try PostgresConnection(
            to: NodeAddress(host: LocalNode.host, port: cluster.primary.port),
            settings: ConnectionSettings(
                database: "postgres",
                user: LocalCluster.superuser,
                password: .fixed(cluster.superuserPassword)
            ),
            deadline: .after(.seconds(10))
        )
    }
}
