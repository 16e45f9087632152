import AgentKit
import Testing

/// Method: known moments both ways, and days of nine centuries through text and back.
struct TimestampTests {
    private let now = Timestamp(microseconds: 1_700_000_000_000_000)

    @Test(arguments: [
        ("1970-01-01", 0), ("2000-02-29", 951_782_400), ("2026-01-31T12:34:56Z", 1_769_862_896),
        ("2026-01-31T12:34", 1_769_862_840), ("1969-12-31T23:59:59", -1), ("now", 1_700_000_000),
        ("-24h", 1_699_913_600), ("+90m", 1_700_005_400), ("-7d", 1_699_395_200), ("+30s", 1_700_000_030),
    ])
    func readsArguments(_ text: String, _ seconds: Int64) {
        #expect(Timestamp(argument: text, now: now)?.microseconds == seconds * 1_000_000)
    }

    @Test(arguments: [
        "", "-", "yesterday", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-32", "2026-1-1", "2026-01-31T24:00",
        "2026-01-31T12", "2026-01-31 12:00", "-24", "-h", "--1h", "-99999999d", "2026-01-31T12:00:00+02:00",
        "20 6-01-01",
    ])
    func refusesWhatIsNoMoment(_ text: String) {
        #expect(Timestamp(argument: text, now: now) == nil)
    }

    @Test func daysComeBack() {
        for day in stride(from: -200_000 as Int64, through: 146_097, by: 13) {
            let moment = Timestamp(microseconds: day * Timestamp.microsecondsPerDay)
            let text = String(moment.description.prefix(10))
            #expect(Timestamp(argument: text, now: now) == moment)
        }
    }

    @Test func writesMicroseconds() {
        #expect(Timestamp(microseconds: 1_769_862_896_000_007).description == "2026-01-31T12:34:56.000007Z")
        #expect(Timestamp(microseconds: -1).description == "1969-12-31T23:59:59.999999Z")
    }
}
