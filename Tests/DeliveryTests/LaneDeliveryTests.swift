import Delivery
import Records
import SimulationKit
import Testing

/// Method: the story of a lane, told step by step with fake neighbours: what it asks of them, what it says, and what it waits for.
struct LaneDeliveryTests {
    @Test func aLaneIsClaimedAndDelivered() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.drain()
        #expect(
            world.log.events == [
                .claimed(LedgerRow(epoch: 1, position: .none), undecided: .none),
                .flushed(
                    ledger: LedgerRow(epoch: 1, position: Offset(3)),
                    rows: 3,
                    bytes: 63,
                    duration: .milliseconds(5)
                ),
            ]
        )
    }

    @Test func fewRowsLingerForMore() {
        let world = DeliveryWorld()
        #expect(world.delivery.step() == .again)
        #expect(world.delivery.step() == .waitForData(until: .seconds(10)))
        world.queue.append(1)
        #expect(world.delivery.step() == .waitForData(until: .milliseconds(50)))
        world.clock.now = .milliseconds(49)
        world.queue.append(1)
        #expect(world.delivery.step() == .waitForData(until: .milliseconds(50)))
        world.clock.now = .milliseconds(50)
        #expect(world.delivery.step() == .again)
        #expect(world.position == Offset(2))
    }

    @Test func nobodyLingersWhileSomebodyWaits() {
        let world = DeliveryWorld()
        world.queue.append(1)
        _ = world.delivery.step()
        #expect(world.delivery.step(awaited: Offset(1)) == .again)
        #expect(world.position == Offset(1))
        world.queue.append(1)
        // That wait is over: it was for the row before.
        #expect(world.delivery.step(awaited: Offset(1)) != .again)
    }

    @Test func aLaneAtTheDoorTriesAtOnceWhenAnotherWasLetIn() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.session.nextBreak = { .refusedAtTheDoor }
        for _ in 0..<5 { world.step() }
        guard case .sleep(let until) = world.delivery.step() else {
            Issue.record("a lane that was turned away does not wait")
            return
        }
        #expect(until > world.clock.now)
        world.session.nextBreak = { nil }
        #expect(world.delivery.step() == .sleep(until: until))
        world.delivery.doorIsOpen()
        #expect(world.delivery.step() == .again)
        #expect(world.postgres.state.ledger.epoch == 1)
    }

    /// It says nothing about a fault that a server has told.
    @Test func otherPausesAreKeptWhenAnotherLaneWasLetIn() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.breakNext(.server("53300", .claiming))
        _ = world.delivery.step()
        guard case .sleep(let until) = world.delivery.step() else {
            Issue.record("a refused claim is made again without a pause")
            return
        }
        world.delivery.doorIsOpen()
        #expect(world.delivery.step() == .sleep(until: until))
    }

    @Test func enoughRowsGoAtOnce() {
        var settings = DeliverySettings()
        settings.initialRows = 10
        let world = DeliveryWorld(settings: settings)
        world.queue.append(10)
        _ = world.delivery.step()
        #expect(world.delivery.step() == .again)
        #expect(world.position == Offset(10))
    }

    @Test func aLostAnswerIsSettledByTheLedger() {
        let world = DeliveryWorld()
        world.queue.append(5)
        world.breakNext(.lostCommitted)
        for _ in 0..<6 { world.step() }
        #expect(world.postgres.copies(of: Offset(5)) == 1)
        #expect(world.log.events.contains(.outcome(.settled, from: .none, to: Offset(5))))
        #expect(world.session.flushes.count == 1)
    }

    @Test func whatWasRolledBackIsSentAgain() {
        let world = DeliveryWorld()
        world.queue.append(5)
        world.breakNext(.lostRolledBack)
        world.drain()
        #expect(world.postgres.copies(of: Offset(5)) == 1)
        #expect(world.log.events.contains(.outcome(.resend, from: .none, to: Offset(5))))
        #expect(world.session.flushes.map(\.epoch) == [1, 2])
    }

    /// The old transaction reaches `advance` only after the new claim: it must be turned away.
    @Test func aLateTransactionIsFencedOff() {
        let world = DeliveryWorld()
        world.queue.append(5)
        world.postgres.orphanEnd = { .arrivesLate }
        world.breakNext(.lostUnderWay)
        world.drain()
        #expect(world.broken() == nil)
        #expect(world.postgres.refusals == 1)
    }

    @Test func anotherWriterIsNoticed() {
        let world = DeliveryWorld()
        world.queue.append(5)
        _ = world.delivery.step()
        _ = world.postgres.claim()
        world.drain()
        #expect(world.log.events.contains(.fenced))
        #expect(world.postgres.state.ledger == LedgerRow(epoch: 3, position: Offset(5)))
    }

    @Test func afterAFailoverTheTailIsSentAgain() {
        let world = DeliveryWorld()
        world.queue.append(5)
        world.drain()
        let replica = world.postgres.state
        world.queue.append(5)
        world.drain()
        world.postgres.failOver(to: replica)
        // Nothing is there to be sent, so it is the lane's own look that finds out.
        for _ in 0..<10 { world.step() }
        #expect(world.position == Offset(10))
        #expect(world.broken() == nil)
    }

    @Test func anIdleLaneDoesNotClaimAgain() {
        let world = DeliveryWorld()
        for _ in 0..<20 { world.step() }
        #expect(world.postgres.state.ledger.epoch == 1)
        #expect(world.clock.now >= .seconds(50))
    }

    @Test func withPostgresAwayTheLaneWaitsLongerAndLonger() {
        let world = DeliveryWorld()
        world.queue.append(1)
        world.session.nextBreak = { .refusedAtTheDoor }
        for _ in 0..<60 { world.step() }
        let pauses = world.log.events.compactMap {
            if case .fault(_, .connection, let pause) = $0 { pause } else { nil }
        }
        #expect(pauses.count == 30)
        for (attempt, pause) in pauses.enumerated() {
            let full = min(.seconds(5), .milliseconds(50) * (1 << attempt))
            #expect(full / 2 <= pause && pause <= full, "\(attempt)")
        }
        world.session.nextBreak = { nil }
        #expect(world.drain() != nil)
    }

    @Test func aMissingLedgerParksNothing() {
        let world = DeliveryWorld()
        world.queue.append(1)
        world.breakNext(.server("42P01", .claiming), .server("42883", .sending))
        world.drain()
        #expect(world.deadLetters.letters.isEmpty)
        #expect(world.position == Offset(1))
    }

    @Test func trimmedRowsTheLedgerNeedsAreAGap() {
        let world = DeliveryWorld()
        world.queue.append(10)
        world.queue.firstAvailable = Offset(8)
        #expect(world.step() == .again)
        let hold = Hold.gap(Offset(1)...Offset(7))
        #expect(world.log.events.last == .held(hold))
        #expect(world.step() == .held(hold, until: .seconds(5)))
        // It is told again with each look, and ends by itself if the ledger turns out to be further.
        world.step()
        #expect(world.log.count { $0 == .held(hold) } == 2)
        world.postgres.state.ledger.position = Offset(7)
        world.drain()
        #expect(world.session.flushes.map(\.from) == [Offset(7)])
    }

    // MARK: A ledger that went back

    /// 100 rows in blocks of ten are delivered, then the database is as it was after `kept` of them.
    private func wentBack(to kept: UInt64, onRestore: ClaimDecision.Order = .hold) -> DeliveryWorld {
        var settings = DeliverySettings()
        settings.onRestore = onRestore
        settings.initialRows = 10
        settings.maximumRows = 10
        let world = DeliveryWorld(settings: settings)
        for _ in 0..<10 { world.queue.append(10) }
        world.horizon = Offset(60)
        world.drain()
        world.failOver(to: LedgerRow(epoch: 1, position: Offset(kept)))
        world.session.disconnect()
        world.delivery.primaryChanged()
        return world
    }

    @Test func afterAFailoverTheTailIsSentAgainByItself() {
        let world = wentBack(to: 70)
        #expect(world.drain() != nil)
        #expect(world.log.events.contains(.wentBack(from: Offset(100), to: Offset(70), .behind)))
        #expect(world.broken() == nil)
    }

    @Test func aRestoreIsHeldAndFilledUpByOrder() {
        let world = wentBack(to: 30)
        for _ in 0..<20 { world.step() }
        let hold = Hold.restored(ledger: Offset(30), committed: Offset(100))
        #expect(world.log.events.last == .held(hold))
        #expect(world.position == Offset(30))
        world.delivery.resume(.replay, in: .same)
        #expect(world.drain() != nil)
        #expect(world.broken() == nil)
        #expect(world.deadLetters.letters.isEmpty)
    }

    @Test func aRestoreIsFilledUpByItselfWhereThatIsAskedFor() {
        let world = wentBack(to: 30, onRestore: .replay)
        #expect(world.drain() != nil)
        #expect(world.log.holds == 0)
        #expect(world.broken() == nil)
    }

    /// In the middle of filling up, a doubt: the position is still below the horizon, and nobody is asked again.
    @Test func whatWasResumedIsNotHeldAgainOnTheWay() {
        let world = wentBack(to: 30, onRestore: .hold)
        for _ in 0..<5 { world.step() }
        world.delivery.resume(.replay, in: .same)
        for _ in 0..<3 { world.step() }
        #expect(world.position > Offset(30) && world.position < Offset(60))
        world.breakNext(.refusedAtTheDoor)
        world.delivery.primaryChanged()
        let holds = world.log.holds
        #expect(world.drain() != nil)
        #expect(world.log.holds == holds)
        #expect(world.broken() == nil)
    }

    /// Replicas are behind most while the primary is filled up: one that takes over then is no restore.
    @Test func aFailoverWhileARestoreIsFilledUpIsNotHeld() {
        let world = wentBack(to: 30)
        for _ in 0..<5 { world.step() }
        world.delivery.resume(.replay, in: .same)
        while world.position < Offset(50) { world.step() }
        let holds = world.log.holds
        // A doubt on the way claims anew; what was said holds on.
        world.delivery.primaryChanged()
        world.step()
        world.failOver(to: LedgerRow(epoch: 1, position: Offset(40)))
        world.session.disconnect()
        world.delivery.primaryChanged()
        #expect(world.drain() != nil)
        #expect(world.log.holds == holds)
        #expect(world.broken() == nil)
        // Past the horizon it is forgotten what was said: the next restore is somebody's decision again.
        world.failOver(to: LedgerRow(epoch: 1, position: Offset(40)))
        world.session.disconnect()
        world.delivery.primaryChanged()
        for _ in 0..<5 { world.step() }
        #expect(world.log.events.last == .held(.restored(ledger: Offset(40), committed: Offset(100))))
    }

    @Test func whatIsHeldIsHeldByTheNextProcessToo() {
        let world = wentBack(to: 30)
        for _ in 0..<5 { world.step() }
        // The watermarks that the next process finds have gone back, and the horizon with them.
        world.restart(leavesWord: true)
        world.horizon = Offset(30)
        for _ in 0..<20 { world.step() }
        #expect(world.log.events.last == .held(.restored(ledger: Offset(30), committed: Offset(100))))
        #expect(world.position == Offset(30))
        world.delivery.resume(.skip, in: .same)
        #expect(world.drain() != nil)
        #expect(world.deadLettered(.unreadable) == (31...100).map { Offset($0) })
        #expect(world.broken() == nil)
        world.restart(leavesWord: true)
        world.queue.append(1)
        #expect(world.drain() != nil)
    }

    @Test func aSkipThatIsInterruptedIsStillOne() {
        let world = wentBack(to: 30)
        for _ in 0..<5 { world.step() }
        world.delivery.resume(.skip, in: .same)
        world.deadLetters.setFault { _ in 0 }
        for _ in 0..<3 { world.step() }
        #expect(world.deadLetters.letters.isEmpty)
        world.delivery.primaryChanged()
        world.step()
        // Killed before anything of the order is on disk: somebody has to say so again.
        world.restart(leavesWord: true)
        world.horizon = Offset(30)
        for _ in 0..<5 { world.step() }
        #expect(world.log.events.last == .held(.restored(ledger: Offset(30), committed: Offset(100))))
        world.delivery.resume(.skip, in: .same)
        for _ in 0..<3 { world.step() }
        world.delivery.primaryChanged()
        world.deadLetters.setFault { _ in nil }
        #expect(world.drain() != nil)
        #expect(world.deadLettered(.unreadable) == (31...100).map { Offset($0) })
        #expect(world.broken() == nil)
    }

    @Test func whatWasSaidForAClusterThatWasNotTakenIsWithdrawn() {
        let world = wentBack(to: 70)
        world.delivery.resume(.skip, in: .other)
        world.delivery.withdraw()
        #expect(world.drain() != nil)
        #expect(world.deadLetters.letters.isEmpty)
        #expect(world.broken() == nil)
    }

    @Test func whatIsSkippedByOrderIsNotSentAndIsAccountedFor() {
        let world = wentBack(to: 30)
        for _ in 0..<5 { world.step() }
        world.queue.append(10)
        world.delivery.resume(.skip, in: .same)
        #expect(world.drain() != nil)
        #expect(world.log.events.contains(.skipped(Offset(31)...Offset(100))))
        #expect(world.deadLettered(.unreadable) == (31...100).map { Offset($0) })
        #expect(world.postgres.copies(of: Offset(31)) == 0 && world.postgres.copies(of: Offset(101)) == 1)
        #expect(world.broken() == nil)
    }

    @Test func aGapIsPassedByOrderWithItsExactPositions() {
        let world = wentBack(to: 30)
        world.queue.trim(before: Offset(51))
        for _ in 0..<5 { world.step() }
        #expect(world.log.events.last == .held(.gap(Offset(31)...Offset(50))))
        world.delivery.resume(.replay, in: .same)
        #expect(world.drain() != nil)
        #expect(world.deadLettered(.unreadable) == (31...50).map { Offset($0) })
        #expect(world.postgres.copies(of: Offset(50)) == 0 && world.postgres.copies(of: Offset(51)) == 1)
        #expect(world.broken() == nil)
    }

    /// An order that nothing waits for must not lie in wait for the next restore.
    @Test func anOrderToALaneThatIsNotHeldIsForgotten() {
        let world = wentBack(to: 70)
        world.drain()
        world.delivery.resume(.skip, in: .same)
        world.failOver(to: LedgerRow(epoch: 1, position: Offset(20)))
        world.session.disconnect()
        world.delivery.primaryChanged()
        for _ in 0..<40 { world.step() }
        #expect(world.log.events.last == .held(.restored(ledger: Offset(20), committed: Offset(100))))
    }

    @Test func aLedgerAheadOfTheQueueIsReported() {
        let world = DeliveryWorld()
        world.postgres.state.ledger.position = Offset(5)
        world.step()
        #expect(world.log.events.last == .held(.ledgerAhead(ledger: Offset(5), known: .none)))
        #expect(world.session.flushes.isEmpty)
    }

    /// Rows accepted while PostgreSQL was away fill the offsets up to the ledger's: they would be skipped as old.
    @Test func aLedgerAheadIsNotHiddenByNewRows() {
        let world = DeliveryWorld()
        world.postgres.state.ledger.position = Offset(5)
        world.queue.append(20)
        world.step()
        #expect(world.log.events.last == .held(.ledgerAhead(ledger: Offset(5), known: .none)))
        world.step()
        world.step()
        #expect(world.log.events.last == .held(.ledgerAhead(ledger: Offset(5), known: .none)))
        #expect(world.session.flushes.isEmpty)
    }

    @Test func aQueueThatCanNotBeReadIsWaitedFor() {
        let world = DeliveryWorld()
        world.queue.append(1)
        var failures = 2
        world.queue.fails = {
            failures -= 1
            return failures >= 0
        }
        world.drain()
        #expect(world.log.count { if case .sourceFault = $0 { true } else { false } } == 2)
        #expect(world.postgres.state.ledger.epoch == 1)
    }

    @Test func unreadablePositionsAreRecordedAndPassed() {
        let world = DeliveryWorld()
        for _ in 0..<3 { world.queue.append(10) }
        world.queue.corrupt = [Offset(11)...Offset(20)]
        world.drain()
        #expect(world.log.events.contains(.unreadable(Offset(11)...Offset(20))))
        #expect(world.deadLettered(.unreadable).count == 10)
        #expect(world.broken() == nil)
    }

    @Test func theNextRowsAreReadWhileTheServerWorks() {
        var settings = DeliverySettings()
        settings.initialRows = 10
        settings.maximumRows = 10
        let world = DeliveryWorld(settings: settings)
        for _ in 0..<3 { world.queue.append(10) }
        world.step()
        world.step()
        #expect(world.queue.reads == 2)
        world.queue.fails = { true }
        world.step()
        // The second flush needed no reading, and the third, which can't be read ahead, does not disturb it.
        #expect(world.session.flushes.count == 2)
        #expect(world.position == Offset(20))
    }

    @Test func aStoppedLaneStaysStopped() {
        let world = DeliveryWorld()
        world.queue.append(1)
        world.step()
        world.delivery.stop()
        #expect(world.step() == .stopped)
        #expect(!world.session.isConnected)
        #expect(world.step() == .stopped)
        #expect(world.session.flushes.isEmpty)
    }

    @Test func rowsOfSeveralStreamsAreGrouped() {
        let world = DeliveryWorld()
        world.queue.append(2, stream: "a")
        world.queue.append(3, stream: "b")
        world.queue.append(4, stream: "a")
        world.drain()
        let flush = world.session.flushes[0]
        #expect(flush.parts.map(\.layout.stream) == ["a", "b"])
        #expect(flush.parts.map(\.rows) == [6, 3])
        #expect(flush.from == .none && flush.to == Offset(9))
    }

    @Test func aServerThatCopiesAnotherNumberIsReported() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.session.swallowed = 1
        world.drain()
        #expect(world.log.events.contains(.rowsDiffer(sent: 3, copied: 2)))
    }
}
