import SimulationKit
import Testing

@testable import Delivery

/// Method: sizes after a landing or a refusal, and the bound that they promise for any sequence of both.
struct BatchSizeTests {
    private func size(_ initial: Int = 1_000) -> BatchSize {
        BatchSize(initial: initial, maximum: 20_000, target: .milliseconds(250))
    }

    @Test(arguments: [
        (1_000, 10, 2_000), (500, 10, 2_000), (499, 10, 1_000), (1_000, 125, 1_000), (1_000, 250, 1_000),
        (1_000, 500, 500),
        (1_000, 10_000, 500), (1, 10_000, 500),
    ])
    func aLandingMovesTheSize(sent: Int, milliseconds: Int, expected: Int) {
        var size = size()
        size.landed(rows: sent, duration: .milliseconds(milliseconds))
        #expect(size.rows == expected)
    }

    @Test func slownessAloneStopsAtTheFloor() {
        var size = size()
        for _ in 0..<20 { size.landed(rows: size.rows, duration: .seconds(9)) }
        #expect(size.rows == 100)
        for _ in 0..<20 { size.landed(rows: size.rows, duration: .milliseconds(1)) }
        #expect(size.rows == 20_000)
    }

    @Test func aSmallSizeIsNotRaisedByASlowFlush() {
        var size = size(3)
        size.landed(rows: 3, duration: .seconds(9))
        #expect(size.rows == 3)
    }

    @Test func anUnknownDurationSaysNothing() {
        var size = size()
        size.landed(rows: 1_000, duration: nil)
        #expect(size.rows == 1_000)
    }

    @Test func refusalsCostNoMoreThanWhatLanded() {
        var random = SplitMix(seed: 11)
        for _ in 0..<200 {
            var size = size(Int.random(in: 1...20_000, using: &random))
            var (refused, landed, start) = (0, 0, size.rows)
            let share = Double.random(in: 0...1, using: &random)
            for _ in 0..<300 {
                let sent = random.chance(0.1) ? Int.random(in: 1...size.rows, using: &random) : size.rows
                if sent > 1, random.chance(share) {
                    refused += sent
                    size.refused(rows: sent)
                } else {
                    landed += sent
                    size.landed(rows: sent, duration: .milliseconds(1))
                }
                start = max(start, 1)
                #expect(refused <= 4 * landed + 2 * start)
            }
        }
    }
}
