import Delivery
import Records
import SegmentedLog

/// The one PostgreSQL, and the connections to whichever there is.
extension World {
    /// - Parameter cluster: the lane's connection to a cluster, where there is one.
    func connect(_ cluster: ClusterSession?) -> any Destination {
        let destination: any Destination = cluster ?? session(with: postgres)
        return plant?.destination(destination) ?? destination
    }

    func session(with server: SimulatedPostgres) -> SimulatedSession {
        let session = SimulatedSession(server, clock: clock, fuse: fuse)
        session.nextBreak = { [unowned self] in nextBreak() }
        session.didReach = { [unowned self] point in reach(point) }
        session.flushDuration = .milliseconds(random.within(1...9))
        return session
    }

    func nextBreak() -> SimulatedSession.Break? {
        guard !isCalm, random.chance(plan.connectionTrouble) else { return nil }
        let next: SimulatedSession.Break = random.pick([
            .refusedAtTheDoor, .claimLostBefore, .claimLostAfter, .lostWhileSending, .lostRolledBack,
            .lostCommitted, .lostCommitted, .lostUnderWay, .lostUnderWay, .server("53100", .sending),
            .server("57P01", .committing), .server("40001", .committing), .server("25006", .sending),
            .server("XX000", .sending), .server("42883", .sending), .server("FB001", .sending),
        ])
        history.note(.postgres, "the connection meets \(next)")
        switch next {
        case .lostRolledBack, .lostCommitted, .lostUnderWay: tally.add(.ambiguousCommits)
        case .refusedAtTheDoor, .claimLostBefore, .claimLostAfter, .lostWhileSending, .server: break
        }
        return next
    }

    func finishOrphan() {
        let able = cluster?.nodes.filter { $0.health == .up }.map(\.postgres) ?? [postgres]
        guard let server = able.first(where: \.hasOrphans) else { return }
        tally.add(.lateTransactions)
        let isCommitted = server.finishOrphan(committing: random.chance(700))
        history.note(
            .postgres,
            "a transaction without a connection ends: \(isCommitted ? "committed" : "not committed")"
        )
    }

    func befallPostgres() {
        if cluster != nil { return befallCluster() }
        switch random.below(8) {
        case 0:
            tally.add(.postgresRestarts)
            history.note(.postgres, "starts again")
            postgres.restart()
        case 1 where plan.breaksStreams:
            postgres.broken.formSymmetricDifference([StreamLayouts.names[1]])
            if !postgres.broken.isEmpty { postgres.breakage = postgres.breakage == .gone ? .retyped : .gone }
            history.note(
                .postgres,
                postgres.broken.isEmpty ? "the table takes rows again" : "a table takes no rows: \(postgres.breakage)"
            )
        case 2 where plan.hasReplica: promote()
        case 3...5 where plan.hasReplica: replicate()
        default: finishOrphan()
        }
    }

    /// The replica catches up, and the proxy looks at it.
    func replicate() {
        guard plan.hasReplica, cluster == nil else { return }
        let caughtUp = postgres.state
        replica = caughtUp
        history.note(.postgres, "the replica has caught up")
        proxy?.note(replica: caughtUp)
    }

    func promote() {
        guard let replica else { return }
        let isBehind = postgres.state.tables.contains { replica[$0.key].ledger.position < $0.value.ledger.position }
        if isBehind { tally.add(.failovers) }
        history.note(.postgres, "the replica is promoted\(isBehind ? "; it lacks the last flushes" : "")")
        postgres.failOver(to: replica)
    }
}
