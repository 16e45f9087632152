import Synchronization

/// Many worlds, one after the other: their sums, and the first that broke the promise. Any thread may hand in outcomes.
package final class Campaign: Sendable {
    package struct Result: Sendable {
        package var worlds = 0
        package var tally = Tally()
        /// Equal for equal seeds, in whatever order and on however many threads they were run.
        package var digest: UInt64 = 0
        package var steps = 0
        /// The outcomes that broke the promise, by seed; the first hundred.
        package var failures: [World.Outcome] = []
        package var failureCount = 0

        package mutating func add(_ outcome: World.Outcome) {
            worlds += 1
            steps += outcome.steps
            tally.add(outcome.tally)
            digest = digest &+ SplitMix.mix(outcome.digest ^ outcome.seed)
            guard outcome.violation != nil else { return }
            failureCount += 1
            failures.append(outcome)
            failures.sort { $0.seed < $1.seed }
            if failures.count > 100 { failures.removeLast() }
        }

        /// What never happened though it should have, with so many worlds.
        package var missing: [Tally.Event] { worlds >= Result.worldsForCoverage ? tally.missing : [] }

        /// So many worlds see every kind of fault.
        package static let worldsForCoverage = 1_000

        package init() {}
    }

    private let state: Mutex<(next: UInt64, result: Result)>
    private let end: UInt64
    private let plant: Plant?

    package init(seeds: Range<UInt64>, plant: Plant? = nil) {
        state = Mutex((seeds.lowerBound, Result()))
        end = seeds.upperBound
        self.plant = plant
    }

    /// Runs the next few worlds on the calling thread. False if none is left.
    package func runSome(_ count: UInt64 = 32) -> Bool {
        let part = state.withLock { state in
            let first = state.next
            state.next = min(end, first + count)
            return first..<state.next
        }
        var sum = Result()
        for seed in part { sum.add(World(seed: seed, plant: plant).run()) }
        let found = sum
        state.withLock { $0.result.add(found) }
        return !part.isEmpty
    }

    package var result: Result { state.withLock { $0.result } }
}

extension Campaign.Result {
    fileprivate mutating func add(_ other: Campaign.Result) {
        worlds += other.worlds
        steps += other.steps
        tally.add(other.tally)
        digest = digest &+ other.digest
        failureCount += other.failureCount
        failures = Array((failures + other.failures).sorted { $0.seed < $1.seed }.prefix(100))
    }
}
