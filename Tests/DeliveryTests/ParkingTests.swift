import Delivery
import Records
import SimulationKit
import Testing

/// Method: two streams share a lane; the table of one goes away and comes back.
struct ParkingTests {
    private func world(_ breakage: SimulatedPostgres.Breakage = .gone) -> DeliveryWorld {
        let world = DeliveryWorld()
        for _ in 0..<3 {
            world.queue.append(10, stream: "orders")
            world.queue.append(10, stream: "apirequests")
        }
        world.postgres.broken = ["orders"]
        world.postgres.breakage = breakage
        return world
    }

    @Test(arguments: SimulatedPostgres.Breakage.allCases)
    func theOtherStreamsGoOn(breakage: SimulatedPostgres.Breakage) {
        let world = world(breakage)
        world.drain()
        #expect(world.position == Offset(60))
        #expect(world.deadLettered(.parked).count == 30)
        #expect(world.broken() == nil)
        // One refusal, then one flush that passes them all.
        #expect(world.session.flushes.count == 2)
        let reason = DeadLetter.Reason(sqlState: breakage.rawValue, message: breakage.message)
        #expect(world.log.events.contains(.parked(stream: "orders", reason)))
        #expect(world.deadLetters.letters.allSatisfy { $0.stream == "orders" && $0.reason == reason && $0.count == 10 })
    }

    @Test func forHalfAMinuteNothingIsTried() {
        let world = world()
        world.drain()
        let refusals = world.postgres.refusals
        world.clock.now += .seconds(29)
        world.queue.append(10, stream: "orders")
        world.drain()
        #expect(world.postgres.refusals == refusals)
        #expect(world.deadLettered(.parked).count == 40)
    }

    @Test(arguments: SimulatedPostgres.Breakage.allCases)
    func thenItIsTriedOnceAndParkedAgain(breakage: SimulatedPostgres.Breakage) {
        let world = world(breakage)
        world.drain()
        let refusals = world.postgres.refusals
        world.clock.now += .seconds(30)
        for _ in 0..<5 {
            world.queue.append(10, stream: "orders")
            world.drain()
        }
        #expect(world.postgres.refusals == refusals + 1)
        #expect(world.log.count { if case .parked = $0 { true } else { false } } == 1)
        #expect(world.deadLettered(.parked).count == 80)
    }

    @Test func anOperatorNeedNotWait() {
        let world = world()
        world.drain()
        world.postgres.broken = []
        world.delivery.tryParkedStreams()
        world.queue.append(10, stream: "orders")
        world.drain()
        #expect(world.postgres.copies(of: Offset(61)) == 1)
        #expect(world.log.events.last == .unparked(stream: "orders"))
    }

    @Test(arguments: SimulatedPostgres.Breakage.allCases)
    func successUnparks(breakage: SimulatedPostgres.Breakage) {
        let world = world(breakage)
        world.drain()
        world.postgres.broken = []
        world.clock.now += .seconds(30)
        world.queue.append(10, stream: "orders")
        world.drain()
        #expect(world.log.events.last == .unparked(stream: "orders"))
        #expect(world.postgres.copies(of: Offset(70)) == 1)
        // What went aside stays aside until it is retried.
        #expect(world.postgres.copies(of: Offset(1)) == 0)
        #expect(world.broken() == nil)
    }
}
