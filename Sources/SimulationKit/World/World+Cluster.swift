import Delivery
import Records
import SegmentedLog
import Topology

/// What befalls a cluster of three nodes. The fault model is in <doc:Simulation>.
extension World {
    /// What the proxy's watch stands among; nil where there is one PostgreSQL.
    func watchSurroundings() -> SimulatedWatch.Surroundings? {
        guard let cluster else { return nil }
        return SimulatedWatch.Surroundings(
            cluster: cluster,
            settings: ClusterMachine.Settings(
                nodes: cluster.nodes.map(\.address),
                required: plan.required,
                adoptsByItself: plan.delivery.onRestore == .replay
            ),
            plant: plant,
            latency: { [unowned self] node in latency(of: node) },
            open: { [unowned self] node in open(node) },
            didChange: { [unowned self] in tally.add(.primaryChanges) },
            didDegrade: { [unowned self] in tally.add(.degradations) }
        )
    }

    private func latency(of node: SimulatedNode) -> Duration {
        if node.isSlow, !isCalm { return .milliseconds(random.within(50...2_300)) }
        return .microseconds(random.within(200...5_000))
    }

    /// A connection to a node that lets it in.
    private func open(_ node: SimulatedNode) -> SimulatedSession {
        if let memory = proxy?.watch?.machine.view.memory, memory.systemIdentifier == node.systemIdentifier,
            node.timeline.number < memory.timeline
        {
            fail("\(node.address) is written to on timeline \(node.timeline.number); \(memory.timeline) was seen")
        }
        let session = session(with: node.postgres)
        session.answers = { [unowned node] in node.answers }
        session.takesWrites = { [unowned node] in node.isWriter }
        return session
    }

    // MARK: What goes on by itself

    /// Replicas apply what they get, nodes are asked and answer.
    func letTheClusterGoOn() {
        guard let cluster else { return }
        for node in cluster.nodes where node.isInRecovery && (isCalm || random.chance(250)) {
            let count = node.replay(isCalm ? .max / 2 : random.within(1...6))
            tally.add(.replayed, count)
            if count > 0 { history.note(.postgres, "\(node.address) replays \(count) records") }
        }
        guard let watch = proxy?.watch, !fuse.isBlown else { return }
        for node in cluster.nodes where watch.isDue(node.number) && (isCalm || random.chance(700)) {
            watch.turn(node.number)
        }
    }

    // MARK: What befalls it

    func befallCluster() {
        guard let cluster else { return }
        switch random.below(24) {
        case 0:
            let node = random.pick(cluster.nodes)
            tally.add(.postgresRestarts)
            history.note(.postgres, "\(node.address) starts again")
            node.postgres.restart()
        case 1...2:
            let node = random.pick(cluster.others)
            node.receives.toggle()
            tally.add(.stoppedReceivers, node.receives ? 0 : 1)
            history.note(.postgres, "\(node.address)'s receiver is \(node.receives ? "started" : "stopped")")
        case 3...6: changeHealth(random.pick(cluster.nodes))
        case 7: random.pick(cluster.nodes).isSlow.toggle()
        case 8...11: promoteSomebody(cluster)
        case 12...15: lookAfterAStray(cluster)
        case 16: if random.chance(300) { restore(cluster) }
        case 17: if random.chance(150) { makeAnew(cluster) }
        case 18: mistakeANode(cluster)
        case 19...20: letTheNeighbourWrite(cluster)
        default: finishOrphan()
        }
    }

    private func changeHealth(_ node: SimulatedNode) {
        if node.health != .up {
            node.comeBack()
            return history.note(.postgres, "\(node.address) is back\(node.isWriter ? " as a writer" : "")")
        }
        // Most of the time most nodes are well.
        guard random.chance(500) else { return }
        switch random.below(3) {
        case 0:
            node.die()
            tally.add(.deadNodes)
        case 1:
            node.hang()
            tally.add(.hungNodes)
        default:
            node.refuse()
            tally.add(.refusingNodes)
        }
        history.note(.postgres, "\(node.address) is \(node.health)")
    }

    private func promoteSomebody(_ cluster: SimulatedCluster) {
        let old = cluster.survivor
        let able = cluster.others.filter { $0.answers && $0.isInRecovery }
        guard !able.isEmpty else { return }
        let node = random.pick(able)
        if old.health == .up {
            switch random.below(4) {
            case 0:
                // In order: the replica gets everything before the primary is stopped.
                guard node.receives, node.canFollow(old), node.source === old else { return }
                _ = node.replay(.max / 2)
                old.die()
                tally.add(.switchovers)
            case 1: tally.add(.secondWriters)
            case 2:
                old.die()
                tally.add(.deadNodes)
            default: return
            }
        }
        promote(node, in: cluster)
        // The others follow the new primary if they are told, and can.
        for other in cluster.others where other.isInRecovery && random.chance(600) { other.source = node }
    }

    private func promote(_ node: SimulatedNode, in cluster: SimulatedCluster) {
        let old = cluster.survivor
        let isBehind = old.postgres.state.tables.contains { node.holds($0.key) < $0.value.ledger.position }
        if isBehind { tally.add(.failovers) }
        if node.place > node.timeline.common(with: old.timeline) { tally.add(.otherHistories) }
        // Where not all replicas are required, one that lacks what was trimmed may be the one.
        if plan.required < cluster.others.count { excuse { node.holds($0) } }
        cluster.promote(node)
        history.note(
            .postgres,
            "\(node.address) is promoted: timeline \(node.timeline.number)\(isBehind ? "; it lacks the last flushes" : "")"
        )
    }

    /// What the new survivor lacks may be trimmed, or be trimmed before the proxy learns of it.
    private func excuse(_ holds: (LaneKey) -> Offset) {
        guard let cluster else { return }
        let known = cluster.nodes.reduce(Set(account.trimmed.keys)) { $0.union($1.postgres.state.tables.keys) }
        for lane in known where lane != Self.neighbour {
            let most = max(account.trimmed[lane] ?? .none, cluster.nodes.map { $0.holds(lane) }.max() ?? .none)
            if holds(lane) < most { account.excuse(lane, upTo: most) }
        }
    }

    /// A node that the survivor left behind is rewound, or told to follow it.
    private func lookAfterAStray(_ cluster: SimulatedCluster) {
        let survivor = cluster.survivor
        let strays = cluster.others.filter { !$0.isInRecovery || $0.source !== survivor || !$0.canFollow(survivor) }
        guard survivor.answers, !strays.isEmpty else { return }
        let node = random.pick(strays)
        if node.isInRecovery, node.canFollow(survivor) {
            node.source = survivor
            return history.note(.postgres, "\(node.address) follows \(survivor.address)")
        }
        node.rewind(to: survivor)
        node.comeBack()
        // Not everybody remembers the connection to the new primary.
        node.receives = random.chance(700)
        tally.add(.rewinds)
        history.note(.postgres, "\(node.address) is rewound and replicates \(survivor.address)")
    }

    /// Back to an earlier moment, on a new timeline.
    private func restore(_ cluster: SimulatedCluster) {
        let old = cluster.survivor
        // Nobody goes back to the middle of the loading of a dump: what a database then lacks is in the dump.
        let place = max(random.below(old.place + 1), cluster.loaded)
        let path = old.timeline
        let node = random.chance(700) ? old : random.pick(cluster.others)
        var past = SimulatedPostgres.State()
        for index in 0..<place { past.apply(path.record(after: index)) }
        let age = clock.now - path.time(at: place)
        if age < plan.retention.minAge, !account.wasPressed, plan.required == cluster.others.count {
            for (lane, trimmed) in account.trimmed
            where trimmed > account.excused(lane) && past[lane].ledger.position < trimmed {
                fail("\(age) ago the ledger of lane \(lane.lane) was at \(past[lane].ledger.position): trimmed")
            }
        }
        excuse { past[$0].ledger.position }
        cluster.restore(node, to: place)
        tally.add(.restores)
        history.note(
            .postgres,
            "\(node.address) is restored to \(age) ago, record \(place) of \(path.end): timeline \(node.timeline.number)"
        )
    }

    /// Another system identifier, with what a dump holds.
    private func makeAnew(_ cluster: SimulatedCluster) {
        let place = random.chance(500) ? cluster.survivor.place : random.below(cluster.survivor.place + 1)
        var past = SimulatedPostgres.State()
        for index in 0..<place { past.apply(cluster.survivor.timeline.record(after: index)) }
        excuse { past[$0].ledger.position }
        cluster.makeAnew(from: place)
        tally.add(.madeAnew)
        history.note(.postgres, "the cluster is made anew from a dump: system \(cluster.systemIdentifier)")
    }

    private func mistakeANode(_ cluster: SimulatedCluster) {
        let node = random.pick(cluster.nodes)
        node.isMistaken.toggle()
        node.postgres.restart()
        tally.add(.mistakenNodes, node.isMistaken ? 1 : 0)
        history.note(
            .postgres,
            "\(node.address) leads to \(node.isMistaken ? "another cluster" : "the right node again")"
        )
    }

    /// Another proxy moves its own lane on the same primary.
    private func letTheNeighbourWrite(_ cluster: SimulatedCluster) {
        let node = cluster.survivor
        guard node.answers else { return }
        let lane = Self.neighbour
        let row = node.postgres.claim(lane)
        let flush = Flush(
            lane: lane,
            epoch: row.epoch,
            from: row.position,
            to: row.position.advanced(by: random.within(1...9)),
            parts: []
        )
        if node.postgres.commit(flush, atCommit: true) != nil { fail("somebody moved the ledger of another queue") }
        tally.add(.neighbourFlushes)
    }

    static let neighbour = LaneKey(queue: QueueID(high: 0x4E45_0000_0000_4000, low: 1 << 63), lane: LaneID(0))

    // MARK: The operator

    /// Gives the order that the proxy waits for, if it waits for one.
    func resumeLanes() {
        guard let proxy, let watch = proxy.watch, let cluster else { return }
        let isHeld = watch.machine.choice.node != nil
        guard proxy.resume(.replay) else { return }
        if !isHeld, plan.required < cluster.others.count,
            let node = watch.machine.choice.node.flatMap(cluster.node(at:))
        {
            excuse { node.holds($0) }
        }
        tally.add(.orders)
        history.note(.operator, "orders the lanes to replay")
    }

    // MARK: What must hold

    /// Nothing is trimmed that a node lacks which could be promoted.
    func checkReplicas() {
        guard let cluster, violation == nil else { return }
        for (lane, trimmed) in account.trimmed where trimmed > account.excused(lane) {
            let own = cluster.nodes.filter { $0.systemIdentifier == cluster.systemIdentifier }
            let lacking = own.filter { $0.holds(lane) < trimmed }
            guard own.count - lacking.count <= plan.required, let node = lacking.first else { continue }
            fail(
                "lane \(lane.lane) was trimmed up to \(trimmed), \(node.address) is at \(node.holds(lane)); "
                    + "\(plan.required) replicas must hold it"
            )
        }
    }

    /// A lane holds nothing any more up to this offset.
    ///
    /// - Parameter lacking: the proxy is degraded, and let go of what a required replica lacks.
    func noteTrim(_ proxy: SimulatedProxy, _ lane: LaneKey, _ offset: Offset, _ lacking: Bool) {
        guard cluster != nil, offset > account.trimmed[lane] ?? .none else { return }
        account.trimmed[lane] = offset
        if plan.required == 0 || lacking { account.excuse(lane, upTo: offset) }
        if isAstray(lane, proxy) { account.excuse(lane, upTo: offset) }
        if proxy.isPressed { account.wasPressed = true }
    }

    /// The lane is claimed on a node that is not the survivor: the proxy does not know yet, or sees another writer on a timeline of the same number alone. Where fewer
    /// replicas are required than there are, either of the two may lack what was trimmed by the other.
    func isAstray(_ lane: LaneKey, _ proxy: SimulatedProxy) -> Bool {
        guard let cluster, plan.required < cluster.others.count else { return false }
        return proxy.claims.first { $0.lane == lane }?.choice != cluster.choice
    }
}
