// Method: the table of Delivery.docc/FailoverAndRestore.md, written down a second time row by row, against the function; and every order of the
// four offsets against the sentences that define the places.

import Delivery
import Records
import Testing

@Suite
struct ClaimDecisionTests {
    /// hold, replay, skip
    private static let table: [(ClaimDecision.System, ClaimDecision.Place, [ClaimDecision])] = [
        (.same, .level, [.goOn, .goOn, .goOn]),
        (.same, .behind, [.replay, .replay, .replay]),
        (.same, .restored, [.hold, .replay, .skip]),
        (.same, .trimmed, [.hold, .replayRest, .skip]),
        (.same, .ahead, [.renew, .renew, .renew]),
        (.other, .level, [.goOn, .goOn, .goOn]),
        (.other, .behind, [.hold, .replay, .skip]),
        (.other, .restored, [.hold, .replay, .skip]),
        (.other, .trimmed, [.hold, .replayRest, .skip]),
        (.other, .ahead, [.renew, .renew, .renew]),
    ]

    @Test
    func everyRowIsAsThePageHasIt() {
        var rows = 0
        for (system, place, decisions) in Self.table {
            for (order, expected) in zip([ClaimDecision.Order.hold, .replay, .skip], decisions) {
                #expect(
                    ClaimDecision.of(place: place, system: system, order: order) == expected,
                    "\(system) \(place) \(order)"
                )
                rows += 1
            }
        }
        let combinations =
            ClaimDecision.System.allCases.count * ClaimDecision.Place.allCases.count
            * ClaimDecision.Order.allCases.count
        #expect(rows == combinations)
    }

    @Test
    func everyOrderOfTheOffsetsHasOnePlace() {
        for position in 0...5 as ClosedRange<UInt64> {
            for known in 0...5 as ClosedRange<UInt64> {
                for committed in 0...5 as ClosedRange<UInt64> {
                    for horizon in 0...5 as ClosedRange<UInt64> {
                        for available in 1...6 as ClosedRange<UInt64> {
                            let marks = ClaimMarks(
                                known: Offset(known),
                                committed: Offset(committed),
                                horizon: Offset(horizon),
                                available: Offset(available)
                            )
                            let place = ClaimDecision.Place(Offset(position), marks)
                            #expect((place == .ahead) == (position > known))
                            let isGone = position <= known && position + 1 < available
                            #expect((place == .trimmed) == isGone)
                            guard position <= known, !isGone else { continue }
                            #expect((place == .level) == (position >= committed))
                            #expect((place == .restored) == (position < committed && position < horizon))
                        }
                    }
                }
            }
        }
    }
}
