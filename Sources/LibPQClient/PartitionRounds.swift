/// Decides which days are tried in a round of a proxy's upkeep of the partitions, and when the next round is. A day that fails is put
/// back behind those that have not been tried, so every round makes headway where there is any to be made.
package struct PartitionRounds: Sendable {
    package struct Pace: Sendable {
        /// Days before yesterday that are tried in a round.
        package var pastDays = 20
        /// How long a round goes on beginning with past days.
        package var pastTime = Duration.seconds(10)
        /// From a round after which nothing is left to the next; also before a day that failed is tried again.
        package var idle = Duration.seconds(3600)
        /// From a round that did what it could to the next, while days are left.
        package var working = Duration.seconds(15)
        /// From a round in which something failed to the next, while days are left or nobody knows.
        package var troubled = Duration.seconds(300)

        package init() {}
    }

    /// What came of trying a day.
    package enum Outcome: Hashable, Sendable {
        /// Its partition is there now, or need not be.
        case settled
        /// It has too many rows in the default partition.
        case left
        case failed
    }

    /// When the next round is, on the caller's monotonic clock.
    package private(set) var next: Duration
    private let pace: Pace
    /// The days that could not be made, and when each may be tried again.
    private var postponed: [PartitionDay: Duration] = [:]
    private var round = Round()

    private struct Round {
        var listed: Set<PartitionDay> = []
        var waiting: Set<PartitionDay> = []
        var isTroubled = false
    }

    package init(pace: Pace = Pace(), first: Duration) {
        self.pace = pace
        next = first
    }

    package mutating func begin() {
        round = Round()
    }

    /// The days of a list that may be tried now: in its order, but those that failed before come last.
    package mutating func due(_ days: [PartitionDay], at now: Duration) -> [PartitionDay] {
        round.listed.formUnion(days)
        let due = days.filter { postponed[$0, default: now] <= now }
        round.waiting.formUnion(due)
        return due.filter { postponed[$0] == nil } + due.filter { postponed[$0] != nil }
    }

    package mutating func note(_ outcome: Outcome, of day: PartitionDay, at now: Duration) {
        round.waiting.remove(day)
        switch outcome {
        case .settled: postponed[day] = nil
        case .left: postponed[day] = now + pace.idle
        case .failed:
            postponed[day] = now + pace.idle
            round.isTroubled = true
        }
    }

    /// Something failed that is no one day's fault, or a lock was not to be had.
    package mutating func noteTrouble() {
        round.isTroubled = true
    }

    /// - Parameter isWhole: every list was read to its end, so that a day which was in none of them is of no more concern.
    package mutating func end(isWhole: Bool, at now: Duration) {
        if isWhole {
            postponed = postponed.filter { round.listed.contains($0.key) }
        }
        switch (round.isTroubled, isWhole && round.waiting.isEmpty) {
        case (_, true): next = now + pace.idle
        case (false, false): next = now + pace.working
        case (true, false): next = now + pace.troubled
        }
    }
}
