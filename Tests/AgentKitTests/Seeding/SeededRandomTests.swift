import AgentKit
import Glibc
import Testing

/// Method: known values of the published algorithm, and moments of large samples within bounds that a wrong shape misses.
struct SeededRandomTests {
    @Test func givesThePublishedSequence() {
        // The first outputs of SplitMix64 from the seed 1234567, as published with the algorithm's reference code.
        var random = SeededRandom(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
        #expect(random.next() == 9_817_491_932_198_370_423)
    }

    @Test func exponentialAgreesWithTheLibrary() {
        for step in -7000...7000 {
            let x = Double(step) / 10
            let expected = exp(x)
            #expect(abs(SeededRandom.exponential(x) - expected) <= 4e-15 * expected, "at \(x)")
        }
        #expect(SeededRandom.exponential(0) == 1)
        #expect(SeededRandom.exponential(1e9).isFinite)
        #expect(SeededRandom.exponential(-1e9) > 0)
    }

    @Test func normalHasMeanZeroAndVarianceOne() {
        var random = SeededRandom(seed: 3)
        let values = (0..<100_000).map { _ in random.normal() }
        let mean = values.reduce(0, +) / 100_000
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 100_000
        #expect(abs(mean) < 0.02)
        #expect(abs(variance - 1) < 0.03)
    }

    @Test func belowCoversItsRangeEvenly() {
        var random = SeededRandom(seed: 9)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[random.below(7)] += 1 }
        #expect(counts.allSatisfy { (9_500...10_500).contains($0) })
    }

    @Test func aliasTableDrawsInProportion() {
        let table = AliasTable(weights: [1, 0, 3, 6])
        var random = SeededRandom(seed: 5)
        var counts = [Int](repeating: 0, count: 4)
        for _ in 0..<100_000 { counts[table.draw(&random)] += 1 }
        #expect(counts[1] == 0)
        for (index, share) in [(0, 0.1), (2, 0.3), (3, 0.6)] {
            #expect(abs(Double(counts[index]) / 100_000 - share) < 0.01)
        }
    }
}
