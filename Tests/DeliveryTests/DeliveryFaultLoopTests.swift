import Delivery
import Glibc
import Records
import Testing

/// Method: many small worlds, each from a seed. Every port may fail at every call; the process is killed at random; a replica
/// that lacks the last flushes is promoted; rows are poison, streams are broken for a while, blocks are corrupt. The promise is
/// checked after every step, and at the end, when the faults are over, everything must have been delivered.
///
/// The same loop is run with three planted faults, to show that it would notice.
struct DeliveryFaultLoopTests {
    /// `FOREBAY_SEEDS=100000` runs more of them, `FOREBAY_SEED=17` that one alone.
    @Test(arguments: 0..<4)
    func everyEventEndsExactlyOnce(part: UInt64) {
        let environment = { (name: String) in getenv(name).flatMap { UInt64(String(cString: $0)) } }
        let count = environment("FOREBAY_SEEDS") ?? 800
        let seeds = environment("FOREBAY_SEED").map { $0..<($0 + 1) } ?? 0..<count
        for seed in seeds where seed % 4 == part {
            if let fault = Self.run(seed: seed) {
                Issue.record("seed \(seed): \(fault)")
                return
            }
        }
    }

    @Test(arguments: [
        (FakePostgres.Omissions.compareAndSet, false), (.askingTheLedger, false), (FakePostgres.Omissions(), true),
    ])
    func plantedFaultsAreNoticed(omissions: FakePostgres.Omissions, lazyLetters: Bool) {
        let noticed = (UInt64(0)..<300).contains {
            Self.run(seed: $0, omissions: omissions, lazyLetters: lazyLetters) != nil
        }
        #expect(noticed)
    }

    /// Returns what went wrong.
    static func run(
        seed: UInt64,
        omissions: FakePostgres.Omissions = [],
        lazyLetters: Bool = false
    ) -> String? {
        var random = SeededGenerator(seed: seed)
        var settings = DeliverySettings()
        settings.initialRows = Int.random(in: 1...20, using: &random)
        settings.maximumRows = 64
        settings.maximumBytes = 700
        let world = DeliveryWorld(settings: settings, omissions: omissions, lazyLetters: lazyLetters)
        // Rows are grouped by their padding in half of the worlds.
        if random.chance(0.5) { world.queue.grouping = [1] }
        let trouble = Trouble(seed: seed &* 31 &+ 7)
        trouble.install(in: world)
        var replica = world.postgres.state
        for _ in 0..<120 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<15 where world.queue.durable.rawValue < 150: trouble.appendBlock(to: world, using: &random)
            case 15..<18: world.restart()
            case 18..<24: replica = world.postgres.state
            case 24..<26: world.postgres.failOver(to: replica)
            case 26..<29: world.postgres.broken.formSymmetricDifference(["orders"])
            default: world.step()
            }
            if world.hasChanged(), let fault = world.broken() { return fault }
        }
        trouble.isOver = true
        world.postgres.broken = []
        for _ in 0..<2_000 where world.position < world.queue.durable {
            world.step()
            if world.hasChanged(), let fault = world.broken() { return fault }
        }
        return trouble.unfinished(world)
    }
}

/// What befalls a world.
private final class Trouble {
    private var random: SeededGenerator
    var isOver = false

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    func install(in world: DeliveryWorld) {
        let shares = [0.0, 0.1, 0.3]
        let share = shares.randomElement(using: &random)!
        world.session.nextBreak = { [self] in
            guard !isOver, random.chance(share) else { return nil }
            let breaks: [FakeSession.Break] = [
                .refusedAtTheDoor, .claimLostBefore, .claimLostAfter, .lostWhileSending, .lostRolledBack,
                .lostCommitted, .lostUnderWay, .server("53100", .sending), .server("57P01", .committing),
                .server("40001", .committing), .server("25006", .sending), .server("XX000", .sending),
                .server("42883", .sending), .server("FB001", .sending),
            ]
            return breaks.randomElement(using: &random)
        }
        world.queue.fails = { [self] in !isOver && random.chance(share / 3) }
        world.postgres.orphanEnd = { [self] in
            let ends: [FakePostgres.OrphanEnd] = [.commits, .rollsBack, .arrivesLate]
            return ends.randomElement(using: &random)!
        }
        world.postgres.naming = { [self] in
            let ways: [FakePostgres.Naming] = [.right, .none, .wrong]
            return ways.randomElement(using: &random)!
        }
        let period = Int.random(in: 2...9, using: &random)
        world.deadLetters.setFault { call in
            call % period == 0 && share > 0 && call < 40 ? call % 2 : nil
        }
    }

    func appendBlock(to world: DeliveryWorld, using random: inout SeededGenerator) {
        let count = Int.random(in: 1...30, using: &random)
        let first = world.queue.durable.advanced(by: 1)
        world.queue.append(
            count,
            stream: random.chance(0.7) ? "apirequests" : "orders",
            padding: Int.random(in: -1...20, using: &random)
        )
        let last = world.queue.durable
        if random.chance(0.05) { world.queue.corrupt.append(first...last) }
        let share = [0, 0, 0.02, 0.5, 1].randomElement(using: &random)!
        for index in 0..<count where random.chance(share) {
            if random.chance(0.7) {
                world.postgres.poison.insert(first.advanced(by: index))
            } else {
                world.postgres.deferredPoison.insert(first.advanced(by: index))
            }
        }
    }

    /// What should have happened by the end, and has not.
    func unfinished(_ world: DeliveryWorld) -> String? {
        guard world.position == world.queue.durable else {
            return "the ledger is at \(world.position), the queue at \(world.queue.durable)"
        }
        let bad = world.postgres.poison.union(world.postgres.deferredPoison)
        if let wronged = world.deadLettered(.poison).first(where: { !bad.contains($0) }) {
            return "\(wronged) was dead-lettered as poison and is not"
        }
        if let landed = bad.first(where: { world.postgres.copies(of: $0) > 0 }) {
            return "\(landed) is poison and in the database"
        }
        let corrupt = world.queue.corrupt
        if let lost = world.deadLettered(.unreadable).first(where: { row in
            !corrupt.contains { $0.contains(row) }
        }) {
            return "\(lost) was given up as unreadable and is not"
        }
        return nil
    }
}
