import Glibc
import LocalPostgres
import ProvingGround

/// The frame that drills of a replicated cluster share: a cluster, the proxy in front of it, agents that send all the while, and in the
/// end everything drained and counted. In between the drill does what it wants to the nodes.
final class Exercise {
    let yard: Yard
    let fleet: AgentFleet
    /// nil unless the drill asked for one.
    let disk: SickDisk?
    var pause: Pause
    /// Of the first commits on promoted nodes.
    private(set) var takeovers: [Duration] = []

    fileprivate init(_ yard: Yard, _ fleet: AgentFleet, _ disk: SickDisk?, _ pause: Pause) {
        self.yard = yard
        self.fleet = fleet
        self.disk = disk
        self.pause = pause
    }

    fileprivate func finish() throws -> DrillReport {
        print(try fleet.finish())
        try yard.waitForDrain(within: 300)
        try waitUntil("the books balance", within: 60) { try status().conservation.difference == 0 }
        var report = try fleet.count()
        report.takeoversMilliseconds = takeovers.map { Int($0 / .milliseconds(1)) }
        return report
    }

    /// Does something so many times, and says how far it has got.
    func rounds(_ count: Int, _ body: (Int) throws -> Void) throws {
        for round in 1...count {
            do {
                try body(round)
            } catch {
                throw YardFault("round \(round) of \(count): \(error)")
            }
            if round % 5 == 0 { say("round \(round) of \(count)") }
        }
    }

    // MARK: Nodes

    /// A node that is not the primary.
    func candidate() throws -> LocalNode {
        guard let node = yard.cluster.nodes.first(where: { $0 !== yard.primary }) else {
            throw YardFault("there is no replica")
        }
        return node
    }

    /// How many events the node's ledger says are there.
    func ledger(of node: LocalNode) throws -> Int {
        Int(try node.execute("SELECT coalesce(sum(position), 0) FROM forebay.ledger", database: Yard.database)) ?? 0
    }

    /// Makes the former primary, or whatever went its own way, a replica of the present primary.
    func takeBack(_ node: LocalNode) throws {
        do throws(LocalPostgresFault) {
            // What a crash of a primary left undone, pg_rewind finishes by itself; a replica has to be stopped in order.
            if node.isReplica {
                try yard.cluster.settle(node)
            } else {
                try node.kill()
            }
            try yard.cluster.rewind(node, to: yard.primary)
            try yard.cluster.waitForStream(node, from: yard.primary, timeout: .seconds(60))
        } catch {
            // pg_rewind leaves a node that it gave up on in no usable state; and one that it found nothing to do about may go on on its own way.
            say("\(node.name) can't be rewound and is copied anew: \(error)")
            try yard.cluster.rebuild(node, from: yard.primary)
            try yard.cluster.waitForStream(node, from: yard.primary)
        }
    }

    /// Makes sure that nothing is written to a node that was the primary once and still takes writes.
    func checkLeftAlone(_ node: LocalNode) throws {
        // What was on its way when another node took over may still end here; nothing is begun any more.
        let busy = """
            SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^forebay/[0-9]+$' AND state <> 'idle'
            """
        try waitUntil("the flushes on \(node.name) have ended", within: 120) { try node.execute(busy) == "0" }
        let settled = try ledger(of: node)
        pause.wait(milliseconds: 1000...2000)
        let later = try ledger(of: node)
        guard settled == later else {
            throw YardFault("\(node.name), which was left, is written to: its ledger went from \(settled) to \(later)")
        }
    }

    // MARK: The proxy

    /// What the proxy says of itself; after a start its port for that is there later than those for agents.
    func status() throws -> ProxyStatus {
        var found: ProxyStatus?
        try waitUntil("/v1/status answers", within: 60) {
            guard yard.proxy?.isRunning == true else { throw YardFault("the proxy ended; see \(yard.proxyLog)") }
            found = try yard.status()
            return found != nil
        }
        guard let found else { preconditionFailure("it was waited for") }
        return found
    }

    /// Kills the proxy and starts it again; returns once ingest accepts.
    func restartProxy() throws {
        yard.proxy?.crash()
        try yard.startProxy()
        try yard.waitForIngest(within: 60)
    }

    /// Promotes the node, makes it the yard's primary, and waits for the first commit there.
    func promote(_ node: LocalNode) throws {
        let epochs = try epochs()
        try node.promote()
        try awaitTakeover(of: node, since: .now, epochs: epochs)
    }

    /// The epoch of each lane's claim. Another one is another claim.
    func epochs() throws -> [String: Int] {
        Dictionary(uniqueKeysWithValues: try status().lanes.map { ($0.name, $0.epoch) })
    }

    /// Waits for a commit under a claim that was made after these: the first one on the promoted node, or the one after it.
    ///
    /// - Parameter promoted: when `pg_ctl promote` returned.
    func awaitTakeover(
        of node: LocalNode,
        since promoted: ContinuousClock.Instant,
        epochs: [String: Int]
    ) throws {
        yard.primary = node
        var claimed: [String: Int] = [:]
        try waitUntil("rows are committed on \(node.name)", within: 120) {
            let status = try status()
            guard status.cluster.primary == node.address else { return false }
            return status.lanes.contains { lane in
                guard lane.epoch != epochs[lane.name] else { return false }
                if let position = claimed[lane.name] { return lane.committed > position }
                claimed[lane.name] = lane.committed
                return false
            }
        }
        takeovers.append(ContinuousClock.now - promoted)
    }

    /// Waits until all that is on disk now is committed, and something that came after it.
    func awaitProgress() throws {
        let before = Dictionary(uniqueKeysWithValues: try status().lanes.map { ($0.name, $0.durable) })
        try waitUntil("what was accepted is committed, and more of it", within: 300) {
            let lanes = try status().lanes
            return lanes.allSatisfy { $0.committed >= before[$0.name] ?? 0 }
                && lanes.contains { $0.committed > before[$0.name] ?? 0 }
        }
    }
}

extension Exercise {
    /// What the drills of a cluster begin with.
    static func plan(replicas: Int = 1) -> Yard.Plan {
        var plan = Yard.Plan(replicas: replicas)
        // pg_rewind wants it, or checksums.
        plan.postgres["wal_log_hints"] = "on"
        // It copies all WAL files of its source.
        plan.postgres["max_wal_size"] = "'256MB'"
        // A replica looks for its primary again soon.
        plan.postgres["wal_retrieve_retry_interval"] = "'200ms'"
        return plan
    }
}

extension DrillOptions {
    /// Runs a drill of a replicated cluster in the common frame.
    ///
    /// - Parameters:
    ///   - padding: bytes of text in each event that do not compress.
    ///   - hasSickDisk: the queue's disk can be made to fail.
    func exercise(
        _ name: String,
        _ plan: Yard.Plan = Exercise.plan(),
        padding: Int = 0,
        hasSickDisk: Bool = false,
        _ faults: (Exercise) throws -> Void
    ) throws {
        try run(name, plan) { yard, pause in
            let disk = try hasSickDisk ? SickDisk(yard) : nil
            try yard.startProxy()
            try yard.waitForStreams()
            let exercise = Exercise(yard, try AgentFleet(yard, self, padding: padding), disk, pause)
            try faults(exercise)
            return try exercise.finish()
        }
    }
}
