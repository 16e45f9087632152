// Method: render a line and compare it whole.

import Logging
import Testing

@testable import ForebayRuntime

@Suite
struct LineLogHandlerTests {
    private func line(_ format: LineLogHandler.Format, _ message: String, _ fields: [String: String]) -> String {
        LineLogHandler.line(
            time: "2026-01-02T03:04:05.006Z",
            level: .warning,
            label: "queue",
            message: message,
            fields: fields.mapValues { .string($0) },
            format: format
        )
    }

    @Test
    func textQuotesWhatWouldRunTogether() {
        #expect(
            line(.text, "no room", ["lane": "1", "reason": "disk \"full\""])
                == "2026-01-02T03:04:05.006Z warning queue: no room lane=1 reason=\"disk \\\"full\\\"\"\n"
        )
    }

    @Test
    func jsonEscapesControlCharacters() {
        let expected =
            #"{"time":"2026-01-02T03:04:05.006Z","level":"warning","part":"queue","message":"a\nb","x":"\u0001"}"#
        #expect(line(.json, "a\nb", ["x": "\u{1}"]) == expected + "\n")
    }
}
