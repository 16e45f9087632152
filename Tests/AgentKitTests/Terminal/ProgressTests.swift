import AgentKit
import Testing

/// Method: exact lines.
struct ProgressTests {
    @Test func showsABarWithRateAndRest() {
        let progress = Progress(done: 250_000, total: 1_000_000, elapsed: .seconds(10))
        #expect(
            progress.bar(width: 100)
                == "[##########------------------------------]  25 % 250,000 of 1,000,000 events, 25,000/s, 0:30 left"
                .prefix(100)
        )
        #expect(progress.text == "250,000 of 1,000,000 events, 25,000/s, 0:30 left")
    }

    @Test func neverExceedsTheWidth() {
        let progress = Progress(done: 1, total: 2, elapsed: .seconds(1), note: String(repeating: "x", count: 300))
        #expect(progress.bar(width: 70).count == 70)
    }

    @Test func withoutATotalShowsTheTime() {
        #expect(
            Progress(done: 1234, total: nil, elapsed: .seconds(3700), note: "n").text == "1,234 events, 0/s, 1:01:40, n"
        )
        #expect(Progress(done: 0, total: 0, elapsed: .zero).text == "0 of 0 events, 0/s, 0:00")
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")])
    func groupsDigits(_ number: Int, _ text: String) {
        #expect(grouped(number) == text)
    }

    @Test(arguments: [
        (0.0, 3, "0.000"), (1.2345, 3, "1.235"), (-0.0004, 3, "0.000"), (-1.5, 0, "-2"), (12345.678, 1, "12345.7"),
    ])
    func fixesDecimals(_ value: Double, _ decimals: Int, _ text: String) {
        #expect(fixed(value, decimals) == text)
    }
}
