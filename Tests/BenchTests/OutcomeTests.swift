import Testing

@testable import bench

/// Method: small numbers by hand, through the scenario that is simplest to read.
struct OutcomeTests {
    private let drain = Outcome(
        name: "drain",
        measures: [.rows, .cpu],
        contenders: [
            Outcome.Side(name: "forebay", note: "ours", rounds: [[10, 0.5], [30, 0.2], [20, 0.3]].map(sample)),
            Outcome.Side(name: "bare COPY", note: "theirs", rounds: [[20, 0.1], [20, 0.1], [20, 0.1]].map(sample)),
        ]
    )

    private static func sample(_ values: [Double]) -> Sample {
        [Measure.rows.key: values[0], Measure.cpu.key: values[1]]
    }

    private func verdict(_ goal: Goal) -> Outcome.Verdict? {
        var outcome = drain
        outcome.judge([goal])
        return outcome.verdicts.first
    }

    @Test func aSpreadIsTheMiddleAndBothEnds() throws {
        let spread = try #require(Spread([3, 1, 2]))
        #expect([spread.minimum, spread.median, spread.maximum] == [1, 2, 3])
        #expect(Spread([4, 1, 3, 2])?.median == 2)
        #expect(Spread([]) == nil)
    }

    @Test(arguments: [(0.3, true), (0.29, false)])
    private func aLimitIsHeldAgainstTheMedian(_ limit: Double, _ isMet: Bool) {
        #expect(verdict(Goal(measure: .cpu, rule: .atMost(limit)))?.isMet == isMet)
    }

    @Test(arguments: [(20.0, true), (21, false)])
    private func aLeastIsHeldAgainstTheMedian(_ limit: Double, _ isMet: Bool) {
        #expect(verdict(Goal(measure: .rows, rule: .atLeast(limit)))?.isMet == isMet)
    }

    @Test func aRatioIsTakenRoundByRound() throws {
        // 0.5, 1.5 and 1: the middle is 1.
        let met = try #require(verdict(Goal(measure: .rows, rule: .ratio(to: "bare COPY", atLeast: 1))))
        #expect(met.isMet)
        #expect(met.text.hasSuffix("at least 1.00: 1.00 (0.50 to 1.50)"))
        #expect(verdict(Goal(measure: .rows, rule: .ratio(to: "bare COPY", atLeast: 1.01)))?.isMet == false)
    }

    @Test func aGoalOfWhomDidNotTakePartIsPassedOver() {
        #expect(verdict(Goal(measure: .rows, contender: "nobody", rule: .atMost(1))) == nil)
        #expect(verdict(Goal(measure: .rows, rule: .ratio(to: "nobody", atLeast: 1))) == nil)
        #expect(verdict(Goal(measure: .growth, rule: .atMost(1))) == nil)
    }

    @Test func theTableHasARowPerContender() {
        let lines = drain.text.split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        #expect(lines[1].hasPrefix("forebay") && lines[1].contains("20 (10 to 30)"))
        #expect(lines[2].hasPrefix("bare COPY") && lines[2].contains("0.10 (0.10 to 0.10)"))
    }

    @Test func theSlopeIsThatOfTheBestLine() {
        #expect(QueueWatch.slope([(0, 10), (1, 12), (2, 14)]) == 2)
        #expect(QueueWatch.slope([(0, 10), (1, 30), (2, 10)]) == 0)
        #expect(QueueWatch.slope([(0, 10)]) == 0)
    }
}
