import AgentKit
import Testing

/// Method: the turns of all connections together must be the even grid that the rate asks for.
struct LoadScheduleTests {
    private func starts(_ schedule: LoadSchedule, at now: Duration) -> [Duration] {
        var schedule = schedule
        var starts: [Duration] = []
        while case .start(let intended) = schedule.turn(at: now) { starts.append(intended) }
        return starts
    }

    @Test func connectionsShareTheGrid() {
        let all = (0..<3).flatMap {
            starts(LoadSchedule(rate: 100, connection: $0, of: 3, end: .seconds(2)), at: .seconds(9))
        }
        #expect(all.sorted() == (0..<200).map { .milliseconds(10 * $0) })
    }

    @Test func waitsForTheIntendedMoment() {
        var schedule = LoadSchedule(rate: 10, connection: 1, of: 2, end: .seconds(1))
        #expect(schedule.turn(at: .zero) == .wait(until: .milliseconds(100)))
        #expect(schedule.turn(at: .milliseconds(99)) == .wait(until: .milliseconds(100)))
        #expect(schedule.turn(at: .milliseconds(100)) == .start(intended: .milliseconds(100)))
        #expect(schedule.turn(at: .milliseconds(100)) == .wait(until: .milliseconds(300)))
    }

    @Test func aStallDoesNotMakeRequestsFewer() {
        var schedule = LoadSchedule(rate: 1000, connection: 0, of: 1, end: .seconds(10))
        #expect(schedule.turn(at: .zero) == .start(intended: .zero))
        // Nothing for five seconds: everything that was due meanwhile starts now, and counts from when it was due.
        #expect(schedule.turn(at: .seconds(5)) == .start(intended: .milliseconds(1)))
        #expect(starts(schedule, at: .seconds(5)).count == 4999)
    }

    @Test func endsOnTime() {
        var schedule = LoadSchedule(rate: 1, connection: 0, of: 1, end: .seconds(1))
        #expect(schedule.turn(at: .seconds(3)) == .start(intended: .zero))
        #expect(schedule.turn(at: .seconds(3)) == .over)
    }

    @Test func aClosedLoopStartsAtOnceUntilTheEnd() {
        var schedule = LoadSchedule(rate: nil, connection: 0, of: 1, end: .seconds(1))
        #expect(schedule.turn(at: .milliseconds(7)) == .start(intended: .milliseconds(7)))
        #expect(schedule.turn(at: .seconds(1)) == .over)
    }

    @Test func doesNotDriftInLongRuns() {
        var schedule = LoadSchedule(rate: 3, connection: 0, of: 1, end: .seconds(100_000))
        var last = Duration.zero
        while case .start(let intended) = schedule.turn(at: .seconds(100_000)) { last = intended }
        #expect(schedule.started == 300_000)
        #expect(abs((last - .seconds(299_999) / 3) / .nanoseconds(1)) < 100)
    }
}
