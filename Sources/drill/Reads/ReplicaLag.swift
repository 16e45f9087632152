import ArgumentParser
import LocalPostgres
import ProvingGround

/// A replica shows everything later: whoever has a receipt reads what it wrote all the same, and a replica beyond its bounds is read from no more.
struct ReplicaLag: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replica-lag",
        abstract: "One replica replays 200 ms late, then a minute: reads by receipt are never stale, reads without are."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many writes are read back by their receipts.")
    var rounds = 10_000

    @Option(help: "How many connections do so.")
    var workers = 4

    func run() throws {
        var calm = options
        calm.rate = min(options.rate, 500)
        try calm.exercise("replica-lag (\(rounds) rounds)", Exercise.plan(replicas: 2)) { exercise in
            let yard = exercise.yard
            guard let late = yard.cluster.replicas.last else { preconditionFailure("the plan has two replicas") }
            try delay(late, "200ms")
            let (figures, refusals) = try OwnWrites(yard, rounds: rounds, workers: workers).wait()
            print("with receipts: \(figures)")
            for (refusal, count) in refusals { print("  \(count) × asked again: \(refusal)") }
            guard figures.passes, figures.ownWrites == rounds else { throw YardFault("with receipts: \(figures)") }
            let (bare, _) = try OwnWrites(yard, rounds: max(100, rounds / 20), usesReceipts: false).wait()
            print("without: \(bare)")
            guard bare.stale > 0, bare.errors.isEmpty else {
                throw YardFault("without receipts, too, nothing was stale: the check proves nothing")
            }
            try drain(late, yard)
        }
    }

    /// Beyond its bounds a replica gets no new transaction, and keeps those that it has.
    private func drain(_ late: LocalNode, _ yard: Yard) throws {
        let staying = try yard.readClient()
        let port = [["\(late.port)"]]
        try waitUntil("a transaction has begun on \(late.name)", within: 30) {
            _ = try staying.query("BEGIN")
            if try staying.query("SELECT inet_server_port()") == port { return true }
            _ = try staying.query("COMMIT")
            return false
        }
        try delay(late, "60s")
        let client = try yard.readClient()
        func isRead() throws -> Bool {
            for _ in 0..<100 where try client.query("SELECT inet_server_port()") == port { return true }
            return false
        }
        try waitUntil("\(late.name) gets no more transactions", within: 120) { try !isRead() }
        guard try staying.query("SELECT inet_server_port()") == port else { throw YardFault("a transaction moved") }
        _ = try staying.query("COMMIT")
        try delay(late, "0")
        try waitUntil("\(late.name) is read from again", within: 120) { try isRead() }
        print("beyond its bounds \(late.name) was drained and not cut, and read from again once it had caught up")
    }

    private func delay(_ node: LocalNode, _ time: String) throws {
        try node.execute("ALTER SYSTEM SET recovery_min_apply_delay = '\(time)'")
        try node.execute("SELECT pg_reload_conf()")
    }
}
