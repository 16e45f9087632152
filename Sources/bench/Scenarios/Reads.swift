import Foundation
import LocalPostgres
import ProvingGround

/// Reads from a replica, through proxies and without one.
final class Reads: Scenario {
    static let name = "reads"
    static let title = "Reads from one replica"
    static let method = """
        `pgbench -S` at scale 10, two threads, with 8 and with 64 connections, first with `-M simple`, then with `-M prepared`; the load ends \
        at one replica whoever is in between. Both proxies have 15 connections to it, and let a client have one for a transaction.
        """
    static let measures = SelectLoad.all.flatMap { [$0.rate, $0.cpu] }
    static let charts = SelectLoad.all.map(\.rate)
    static let goals = SelectLoad.all.filter { $0.mode == .simple }.map {
        Goal(measure: $0.rate, rule: .ratio(to: "pgbouncer", atLeast: 0.8))
    }

    /// Both proxies' pools and 64 connections beside them have to find room below the server's `max_connections` of 100.
    private static let poolSize = 15

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        var plan = Yard.Plan.benchmark
        plan.replicas = 1
        plan.readExtra = ", pool_size: \(Self.poolSize)"
        yard = try Yard(plan, programs: conditions.programs)
        let tables = try outcome(of: "pgbench", ["-i", "-I", "dtGvp", "-s", "10"], environment: yard.administrator)
        guard tables.status == 0 else { throw YardFault("pgbench can't make its tables: \(tables.text)") }
        try yard.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO apm_reader")
        try yard.cluster.waitForReplicas()
        let replica = yard.cluster.nodes[1]
        let pgbouncer = try PgBouncer(conditions, yard, in: replica, poolSize: Self.poolSize)
        try yard.startProxy()
        try yard.waitForStreams()
        let seconds = Int((conditions.duration ?? 3).rounded(.up))
        contenders = [
            Selects(
                yard,
                seconds,
                name: "forebay",
                note: "the read port: picks a node fit to be read, runs a statement again if its node goes first",
                port: yard.readPort,
                process: yard.proxy?.pid
            ),
            Selects(
                yard,
                seconds,
                name: "pgbouncer",
                note: "of Debian 12, in transaction mode, which keeps no prepared statements there; knows one node",
                port: pgbouncer.port,
                process: pgbouncer.process.pid,
                modes: [.simple]
            ),
            Selects(yard, seconds, name: "direct", note: "pgbench at the replica, no proxy", port: replica.port),
        ]
    }
}
