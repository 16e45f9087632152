import Testing

@testable import ForebayRuntime

struct LookPaceTests {
    @Test func nobodyIsInAHurryWhereNobodyWaits() {
        let pace = LookPace()
        #expect(pace.pause(isPrimaryUnsure: false, isHolding: false, at: .seconds(5)) == LookPace.long)
    }

    @Test func aPrimaryInDoubtAndAFullQueueHurry() {
        let pace = LookPace()
        #expect(pace.pause(isPrimaryUnsure: true, isHolding: false, at: .seconds(5)) == LookPace.short)
        #expect(pace.pause(isPrimaryUnsure: false, isHolding: true, at: .seconds(5)) == LookPace.short)
    }

    @Test func whoWaitsHurriesForAWhile() {
        var pace = LookPace()
        pace.await(at: .seconds(5))
        #expect(pace.pause(isPrimaryUnsure: false, isHolding: false, at: .milliseconds(6999)) == LookPace.short)
        #expect(pace.pause(isPrimaryUnsure: false, isHolding: false, at: .seconds(7)) == LookPace.long)
    }
}
