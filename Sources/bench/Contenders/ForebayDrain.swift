import AgentKit
import Foundation
import LocalPostgres
import ProvingGround

/// Forebay with a queue that was filled beforehand, from the moment at which PostgreSQL lets it in.
final class ForebayDrain: Contender {
    let name: String
    let note: String
    private let backlog: Backlog
    private let nodes: [String]

    /// - Parameter nodes: the addresses of the nodes that the proxy knows; nil for all of the cluster.
    init(
        _ backlog: Backlog,
        name: String = "forebay",
        note: String = "two lanes, each row and the ledger in one transaction: exactly once",
        nodes: [String]? = nil
    ) {
        self.backlog = backlog
        self.name = name
        self.note = note
        self.nodes = nodes ?? backlog.yard.cluster.nodes.map(\.address)
    }

    func round(isLast: Bool) async throws -> Sample {
        let yard = backlog.yard
        try backlog.restore()
        try backlog.clearTable()
        try yard.useNodes(nodes)
        // The door stays shut until the proxy has started: its start is not what is measured.
        try yard.query("ALTER ROLE apm_writer CONNECTION LIMIT 0")
        try yard.startProxy()
        try yard.waitForIngest()
        guard let proxy = yard.proxy, let before = ProcessUsage(pid: Int(proxy.pid)) else {
            throw YardFault("the proxy does not run")
        }
        try yard.query("ALTER ROLE apm_writer CONNECTION LIMIT -1")
        try yard.waitForDrain(within: 600)
        guard let after = ProcessUsage(pid: Int(proxy.pid)) else { throw YardFault("the proxy has ended") }
        // By PostgreSQL's clock: from the first lane's connection to the commit of the last flush.
        let seconds = Double(
            try yard.query(
                """
                SELECT extract(epoch FROM (SELECT max(pg_xact_commit_timestamp(xmin)) FROM forebay.ledger)
                    - (SELECT min(backend_start) FROM pg_stat_activity WHERE application_name ~ '^forebay/[0-9]+$'))
                """
            )
        )
        guard let seconds, seconds > 0 else { throw YardFault("PostgreSQL does not say how long the drain took") }
        try expectRows(backlog.events, in: yard)
        try backlog.expectSameRows(after: name)
        try expectTracking()
        try yard.stopProxy()
        let millions = Double(backlog.events) / 1e6
        return [
            Measure.rows.key: Double(backlog.events) / seconds,
            Measure.cpu.key: (after.cpu - before.cpu) / .seconds(1) / millions,
            Measure.memory.key: Double(after.peakResidentBytes) / Double(1 << 20),
        ]
    }

    /// With replicas, each of them has to show in the end what was committed; without, nobody was asked.
    private func expectTracking() throws {
        try waitUntil("the replicas that are known have shown every row", within: 120) {
            guard let status = try backlog.yard.status() else { return false }
            if nodes.count == 1 { return status.lanes.allSatisfy { $0.replicated == nil } }
            return status.lanes.allSatisfy { $0.replicated == $0.committed }
        }
    }
}
