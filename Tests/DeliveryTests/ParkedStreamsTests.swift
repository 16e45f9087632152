import Records
import Testing

@testable import Delivery

/// Method: one stream in two layouts, and its neighbour; refusals and landings at set times, and what goes aside after each.
struct ParkedStreamsTests {
    private let old = ParkedStreams.Source(stream: "orders", fingerprint: Fingerprint(1))
    private let new = ParkedStreams.Source(stream: "orders", fingerprint: Fingerprint(2))
    private let neighbour = ParkedStreams.Source(stream: "apirequests", fingerprint: Fingerprint(3))

    private func parked(_ source: ParkedStreams.Source, for sqlState: String) -> ParkedStreams {
        var parked = ParkedStreams(period: .seconds(30))
        let isNews = parked.park(source, reason: .init(sqlState: sqlState, message: ""), now: .zero)
        #expect(isNews)
        return parked
    }

    private func aside(_ parked: ParkedStreams, at seconds: Int) -> [UInt64] {
        let aside = parked.aside(at: .seconds(seconds))
        return [old, new, neighbour].filter { aside.reason(for: $0) != nil }.map(\.fingerprint.rawValue)
    }

    private func landing(
        _ sources: [ParkedStreams.Source],
        at seconds: Int,
        of parked: inout ParkedStreams,
        unparks streams: [String],
        at line: SourceLocation = #_sourceLocation
    ) {
        let ended = parked.landed(sources, now: .seconds(seconds))
        #expect(ended == streams, sourceLocation: line)
    }

    @Test(arguments: ["42P01", "42501", "3F000", "0A000", "08P01"])
    func aRefusalOfTheTableParksTheStream(sqlState: String) {
        let parked = parked(old, for: sqlState)
        #expect(aside(parked, at: 29) == [1, 2])
        #expect(aside(parked, at: 30) == [])
    }

    @Test(arguments: ["42703", "42804"])
    func aRefusalOfAColumnParksTheLayout(sqlState: String) {
        #expect(aside(parked(old, for: sqlState), at: 29) == [1])
    }

    @Test func onlyTheFirstRefusalIsNews() {
        var parked = parked(old, for: "42804")
        let isNews = parked.park(old, reason: .init(sqlState: "42804", message: ""), now: .seconds(30))
        #expect(!isNews)
        #expect(aside(parked, at: 59) == [1])
    }

    @Test func whatLandsIsParkedNoLonger() {
        for sqlState in ["42P01", "42804"] {
            var parked = parked(old, for: sqlState)
            landing([neighbour, old], at: 31, of: &parked, unparks: ["orders"])
            landing([old], at: 32, of: &parked, unparks: [])
        }
    }

    @Test func theOldLayoutStaysParkedWhileTheNewOneLands() {
        var parked = parked(old, for: "42804")
        landing([new, neighbour], at: 29, of: &parked, unparks: [])
        #expect(aside(parked, at: 29) == [1])
        landing([neighbour], at: 40, of: &parked, unparks: [])
        landing([new], at: 40, of: &parked, unparks: ["orders"])
        landing([new], at: 41, of: &parked, unparks: [])
    }

    @Test func everyLayoutHasItsOwnTime() {
        var parked = parked(old, for: "42804")
        let isNews = parked.park(new, reason: .init(sqlState: "42703", message: ""), now: .seconds(10))
        #expect(isNews)
        #expect(aside(parked, at: 20) == [1, 2])
        #expect(aside(parked, at: 35) == [2])
        landing([old], at: 35, of: &parked, unparks: [])
        parked.tryAgain(now: .seconds(36))
        #expect(aside(parked, at: 36) == [])
        landing([new], at: 36, of: &parked, unparks: ["orders"])
    }
}
