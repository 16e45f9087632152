import ArgumentParser
import Glibc
import LocalPostgres
import ProvingGround

/// What the drills that change the primary share.
struct Failover {
    let yard: Yard
    /// From the return of `pg_ctl promote` to the first commit on the promoted node; zero if that came first.
    private(set) var takeovers: [Duration] = []

    init(_ yard: Yard) {
        self.yard = yard
    }

    /// All that the node's ledger says is there; nil if it has no row yet.
    func ledger(of node: LocalNode) throws -> Int {
        Int(try node.execute("SELECT coalesce(sum(position), 0) FROM forebay.ledger", database: Yard.database)) ?? 0
    }

    /// The node that is not the primary.
    func candidate() throws -> LocalNode {
        guard let node = yard.cluster.nodes.first(where: { $0.port != yard.primary.port }) else {
            throw YardFault("there is no replica")
        }
        return node
    }

    /// Promotes the node, waits for the first commit there, and makes it the yard's primary.
    mutating func promote(_ node: LocalNode) throws {
        let before = try yard.metric("forebay_committed_rows_total")
        try node.promote()
        let promoted = ContinuousClock.now
        try waitUntil("rows are committed on the promoted node", within: 60) {
            try yard.metric("forebay_committed_rows_total") > before
        }
        takeovers.append(ContinuousClock.now - promoted)
        yard.primary = node
    }

    /// Makes the former primary a replica of the present one, as it would be with pg_basebackup.
    func takeBack(_ node: LocalNode) throws {
        try yard.cluster.rebuild(node, from: yard.primary)
    }

    var report: String { "promotion to first commit: \(summary(of: takeovers))" }
}

/// The primary dies, and a replica that lacks the last seconds takes over.
struct PrimaryKillPromote: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "primary-kill-promote",
        abstract: "kill -9 of the primary; a replica that lacks the last seconds is promoted."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the primary is killed.")
    var rounds = 3

    func run() throws {
        var plan = Yard.Plan()
        plan.replicas = 1
        try options.run("primary-kill-promote (\(rounds) rounds)", plan) { yard, pause in
            var failover = Failover(yard)
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, agents: options.agents, keys: true, rate: options.rate, seed: options.seed)
            var tails: [Int] = []
            for round in 1...rounds {
                let old = yard.primary
                let candidate = try failover.candidate()
                pause.wait(milliseconds: 500...1500)
                try candidate.stopReceiving()
                pause.wait(milliseconds: 500...2000)
                let committed = try failover.ledger(of: old)
                try old.kill()
                let kept = try failover.ledger(of: candidate)
                guard committed > kept else {
                    throw YardFault("PostgreSQL lost nothing: \(committed) and \(kept) rows")
                }
                tails.append(committed - kept)
                try failover.promote(candidate)
                try failover.takeBack(old)
                if round % 5 == 0 { say("round \(round) of \(rounds)") }
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            print(
                "rows that PostgreSQL lost and Forebay sent again, by round: \(tails.map(String.init).joined(separator: " "))"
            )
            print(failover.report)
            print(try fleet.count())
        }
    }
}

/// The primary hangs, a replica takes over, and the old primary comes back and takes writes.
struct PrimaryHang: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "primary-hang",
        abstract: "SIGSTOP of the primary; a replica is promoted; SIGCONT: the old primary is back, and writable."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the primary hangs.")
    var rounds = 3

    func run() throws {
        var plan = Yard.Plan()
        plan.replicas = 1
        try options.run("primary-hang (\(rounds) rounds)", plan) { yard, pause in
            var failover = Failover(yard)
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, agents: options.agents, keys: true, rate: options.rate, seed: options.seed)
            for round in 1...rounds {
                let old = yard.primary
                let candidate = try failover.candidate()
                pause.wait(milliseconds: 500...1500)
                old.pause()
                pause.wait(milliseconds: 200...4000)
                try failover.promote(candidate)
                old.resume()
                // What was on its way when the old one stopped may still end there; nothing is begun there any more.
                pause.wait(milliseconds: 1000...1500)
                let settled = try failover.ledger(of: old)
                pause.wait(milliseconds: 1000...2000)
                let later = try failover.ledger(of: old)
                guard settled == later else {
                    throw YardFault("the old primary was written to: its ledger went from \(settled) to \(later)")
                }
                try old.kill()
                try failover.takeBack(old)
                if round % 5 == 0 { say("round \(round) of \(rounds)") }
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            print(failover.report)
            print(try fleet.count())
        }
    }
}
