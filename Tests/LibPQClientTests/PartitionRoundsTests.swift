// Method: days are plain values and the clock is a number, so an hour costs nothing; what is asked is which days come when.

import LibPQClient
import Testing

@Suite
struct PartitionRoundsTests {
    private var rounds = PartitionRounds(first: .zero)
    private var now = Duration.zero

    private func days(_ numbers: ClosedRange<Int>) -> [PartitionDay] {
        numbers.map { PartitionDay(table: "public.t", day: "\($0)") }
    }

    /// A round that tries the first twenty of the days that are due; returns which.
    private mutating func round(
        _ listed: [PartitionDay],
        isWhole: Bool = true,
        _ outcome: (PartitionDay) -> PartitionRounds.Outcome = { _ in .settled }
    ) -> [PartitionDay] {
        rounds.begin()
        let tried = Array(rounds.due(listed, at: now).prefix(20))
        for day in tried { rounds.note(outcome(day), of: day, at: now) }
        rounds.end(isWhole: isWhole, at: now)
        return tried
    }

    @Test
    mutating func withNothingLeftTheNextRoundIsInAnHour() {
        #expect(round(days(1...20)).count == 20)
        #expect(rounds.next == .seconds(3600))
    }

    @Test
    mutating func aThousandDaysAreWorkedOffOverRounds() {
        var left = days(1...1000)
        var count = 0
        while !left.isEmpty {
            now = rounds.next
            let tried = Set(round(left))
            left.removeAll { tried.contains($0) }
            count += 1
            if !left.isEmpty { #expect(rounds.next == now + .seconds(15)) }
        }
        #expect(count == 50)
        #expect(rounds.next == now + .seconds(3600))
    }

    /// The days that fail are the first of the list, and more than a round takes.
    @Test
    mutating func daysThatFailKeepNoOthersFromBeingMade() {
        var left = days(1...100)
        let bad = Set(days(1...30))
        for _ in 0..<10 where !bad.isSuperset(of: left) {
            now = rounds.next
            let made = Set(round(left) { bad.contains($0) ? .failed : .settled }).subtracting(bad)
            left.removeAll { made.contains($0) }
        }
        #expect(left == days(1...30))
        #expect(now < .seconds(3600))
    }

    @Test
    mutating func aDayThatFailedIsTriedAgainAfterAnHourBehindTheOthers() {
        #expect(round(days(1...3)) { _ in .failed } == days(1...3))
        #expect(rounds.next == .seconds(3600))
        now = .seconds(3599)
        #expect(round(days(1...5)) == days(4...5))
        now = .seconds(3600)
        #expect(round(days(1...7)) == days(4...7) + days(1...3))
    }

    @Test
    mutating func aFailureAdvancesTheSchedule() {
        now = .seconds(100)
        _ = round(days(1...40)) { _ in .failed }
        #expect(rounds.next == .seconds(400))
        rounds.begin()
        rounds.noteTrouble()
        now = .seconds(500)
        rounds.end(isWhole: false, at: now)
        #expect(rounds.next == .seconds(800))
    }

    @Test
    mutating func aDayThatIsLeftIsLookedAtOnceAnHour() {
        #expect(round(days(1...1)) { _ in .left } == days(1...1))
        #expect(rounds.next == .seconds(3600))
        now = .seconds(1800)
        #expect(round(days(1...1)) == [])
        now = .seconds(3600)
        #expect(round(days(1...1)) == days(1...1))
    }

    /// What is no longer listed has been settled by somebody else: should it come again, it is as new.
    @Test
    mutating func aDayThatIsGoneIsForgotten() {
        _ = round(days(1...1)) { _ in .failed }
        _ = round([], isWhole: false)
        #expect(round(days(1...1)) == [])
        _ = round([])
        #expect(round(days(1...1)) == days(1...1))
    }
}
