import AgentKit
import Testing

/// Method: small numbers by hand.
struct BaselineReportTests {
    @Test func takesTheMiddle() {
        #expect(BaselineReport.median([3, 1, 2]) == 2)
        #expect(BaselineReport.median([4, 1, 3, 2]) == 2)
        #expect(BaselineReport.median([]) == nil)
    }
}
