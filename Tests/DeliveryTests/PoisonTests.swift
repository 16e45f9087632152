import Delivery
import Records
import SimulationKit
import Testing

/// Method: a lane of known rows, some of them bad, delivered to a fake server that names the row, or does not, or names a wrong one. Bad
/// rows must end in the dead-letter store and all others in the database, at a bounded cost in rows sent and transactions refused.
struct PoisonTests {
    enum Kind: CaseIterable { case named, unnamed, misnamed, deferred }

    @Test(arguments: [0.01, 0.5, 1.0], Kind.allCases)
    func theCostOfBadRowsIsBounded(share: Double, kind: Kind) {
        var settings = DeliverySettings()
        settings.initialRows = 400
        settings.maximumRows = 400
        let world = DeliveryWorld(settings: settings)
        for _ in 0..<20 { world.queue.append(100) }
        var random = SplitMix(seed: 5)
        let bad = Set((1...UInt64(2_000)).map { Offset($0) }.filter { _ in random.chance(share) })
        switch kind {
        case .named: world.postgres.naming = { .right }
        case .unnamed: world.postgres.naming = { .none }
        case .misnamed: world.postgres.naming = { .wrong }
        case .deferred: break
        }
        let events = Set(bad.map(\.event))
        if kind == .deferred { world.postgres.deferredPoison = events } else { world.postgres.poison = events }

        #expect(world.drain(within: 100_000) != nil)
        #expect(world.deadLettered(.poison) == bad.sorted())
        #expect(world.broken() == nil)
        // The bounds of the documentation: rows sent within a constant multiple, refusals within a logarithm for each bad row.
        let postgres = world.postgres
        #expect(postgres.rowsSent <= 6 * 2_000 + 4 * 400, "\(postgres.rowsSent) rows sent")
        #expect(postgres.refusals <= bad.count * 6 + 20, "\(postgres.refusals) refusals for \(bad.count)")
    }

    @Test func aBadRowCostsItselfOnly() {
        let world = DeliveryWorld()
        world.queue.append(100)
        world.postgres.poison = [EventID(37)]
        world.drain()
        #expect(world.deadLetters.letters.map(\.first) == [Offset(37)])
        let letter = world.deadLetters.letters[0]
        #expect(EventRows.events(in: letter.bytes[...]) == [EventID(37)])
        #expect(
            letter.reason
                == DeadLetter.Reason(sqlState: "23514", message: "violates check constraint", constraint: "positive")
        )
        #expect(letter.stream == "apirequests")
        // Refused whole; then all others, half as many at first.
        #expect(sizes(world) == [100, 50, 49])
        // A refusal leaves nothing in doubt, so the lane was not claimed again.
        #expect(world.postgres.state.ledger.epoch == 1)
    }

    private func sizes(_ world: DeliveryWorld) -> [Int] {
        world.session.flushes.map { $0.parts.reduce(0) { $0 + $1.rows } }
    }

    /// The line counts the rows as they were sent, and they are not sent in the order of their offsets.
    @Test func theLineOfAGroupedRowNamesThatRow() {
        let world = DeliveryWorld()
        world.queue.grouping = [1]
        for block in 0..<10 { world.queue.append(10, padding: block % 3) }
        world.postgres.poison = [EventID(37), EventID(64)]
        world.drain()
        #expect(world.session.flushes[0].parts[0].sequence != nil)
        #expect(world.deadLettered(.poison) == [Offset(37), Offset(64)])
        #expect(world.postgres.refusals == 2)
        #expect(world.broken() == nil)
    }

    @Test func aSearchGoesByOffsets() {
        let world = DeliveryWorld()
        world.queue.grouping = [1]
        for block in 0..<10 { world.queue.append(10, padding: block % 3) }
        world.postgres.deferredPoison = [EventID(64)]
        world.drain()
        #expect(world.deadLettered(.poison) == [Offset(64)])
        let sequences = world.session.flushes.map { $0.parts.first?.sequence != nil }
        // Grouped, until it is refused; then the suspects are halved as they came.
        #expect(sequences.prefix(3) == [true, false, false])
    }

    @Test func aLineThatMayBeAnotherRowsIsTriedAlone() {
        let world = DeliveryWorld()
        world.queue.append(100)
        world.postgres.poison = [EventID(37)]
        world.postgres.naming = { .wrong }
        world.drain()
        #expect(world.deadLetters.letters.map(\.first) == [Offset(37)])
        // The line was the last row's; the 99 before it are refused too, and from then on the suspects are halved.
        #expect(sizes(world).prefix(4) == [100, 99, 49, 24])
    }

    @Test func withoutALineTheSuspectsAreHalved() {
        let world = DeliveryWorld()
        world.queue.append(8)
        world.postgres.deferredPoison = [EventID(6)]
        world.drain()
        #expect(world.deadLetters.letters.map(\.first) == [Offset(6)])
        // 1 to 8 refused, 1 to 4 land, 5 and 6 refused, 5 lands, 6 is refused alone, 7 and 8 land.
        #expect(sizes(world) == [8, 4, 2, 1, 1, 2])
    }

    @Test func aLedgerThatMovedMeanwhileIsClaimedAgain() {
        let world = DeliveryWorld()
        world.queue.append(10)
        world.postgres.poison = [EventID(4)]
        world.step(awaited: Offset(10))
        world.step(awaited: Offset(10))
        #expect(world.postgres.refusals == 1)
        _ = world.postgres.claim()
        world.drain()
        #expect(world.postgres.state.ledger.epoch == 3)
        #expect(world.deadLettered(.poison) == [Offset(4)])
        #expect(world.broken() == nil)
    }

    @Test func theLetterIsRecordedBeforeTheLedgerPasses() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.postgres.poison = [EventID(2)]
        world.deadLetters.setFault { _ in 0 }
        world.drain(within: 50)
        // The store takes nothing, so the ledger stays before the bad row, however often it is tried.
        #expect(world.position == Offset(1))
        #expect(world.log.count { if case .deadLetterFault = $0 { true } else { false } } > 1)
        world.deadLetters.setFault { _ in nil }
        world.drain()
        #expect(world.position == Offset(3))
        #expect(world.deadLettered(.poison) == [Offset(2)])
    }

    /// The store can't say whether a letter that it failed to record will be there: the row must not land beside it.
    @Test func noRowIsSentWhileItsLetterIsInDoubt() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.deadLetters.setDoubt("a letter is in doubt")
        world.drain(within: 50)
        #expect(world.position == .none)
        #expect(world.log.count { if case .deadLetterFault = $0 { true } else { false } } > 1)
        world.deadLetters.setDoubt(nil)
        world.drain()
        #expect(world.position == Offset(3))
    }

    @Test func aRecordedRowIsNeverSentAgain() {
        let world = DeliveryWorld()
        world.queue.append(3)
        world.postgres.poison = [EventID(2)]
        let before = world.postgres.state
        world.drain()
        // A replica takes over that has nothing yet, and its table takes the row that was refused.
        world.postgres.failOver(to: before)
        world.postgres.poison = []
        world.restart()
        world.drain()
        #expect(world.position == Offset(3))
        #expect(world.postgres.copies(of: Offset(2)) == 0)
        #expect(world.broken() == nil)
    }

    @Test func anErrorOfTheLedgerItselfCondemnsNoRow() {
        let world = DeliveryWorld()
        world.queue.append(1)
        var answers = 3
        world.session.nextBreak = { [weak session = world.session] in
            guard session?.isConnected == true, answers > 0 else { return nil }
            answers -= 1
            return .server("23514", .sending)
        }
        world.drain()
        #expect(world.deadLetters.letters.isEmpty)
        #expect(world.postgres.copies(of: Offset(1)) == 1)
    }
}
