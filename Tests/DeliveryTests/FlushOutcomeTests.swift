import Delivery
import Records
import Testing

/// Method: the table is written down a second time, as a picture, and every combination of its inputs is held against it.
struct FlushOutcomeTests {
    @Test func everyCombinationHasTheOutcomeOfTheTable() {
        //                connection conflict unavailable poison stream fenced unknown
        let table = [
            "connecting any     wait     wait     wait     wait     wait     wait     wait",
            "claiming   any     wait     resend   wait     wait     wait     fenced   wait",
            "sending    any     resend   resend   wait     isolate  park     fenced   wait",
            "committing behind  resend   resend   resend   resend   resend   fenced   resend",
            "committing atFrom  resend   resend   wait     isolate  park     fenced   wait",
            "committing inside  fenced   fenced   fenced   fenced   fenced   fenced   fenced",
            "committing atTo    settled  settled  settled  settled  settled  settled  settled",
            "committing past    settled  settled  settled  settled  settled  settled  settled",
        ]
        let columns: [ErrorClass] = [.connection, .conflict, .unavailable, .poison, .stream, .fenced, .unknown]
        #expect(Set(columns) == Set(ErrorClass.allCases))
        var seen = 0
        for row in table {
            let words = row.split(separator: " ").map(String.init)
            for phase in DeliveryFault.Phase.allCases where "\(phase)" == words[0] {
                for place in FlushOutcome.LedgerPlace.allCases where words[1] == "any" || words[1] == "\(place)" {
                    for (errorClass, outcome) in zip(columns, words.dropFirst(2)) {
                        let found = FlushOutcome.of(phase: phase, errorClass: errorClass, ledger: place)
                        #expect("\(found)" == outcome, "\(phase), \(errorClass), \(place)")
                        seen += 1
                    }
                }
            }
        }
        let combinations =
            DeliveryFault.Phase.allCases.count * ErrorClass.allCases.count
            * FlushOutcome.LedgerPlace.allCases.count
        #expect(seen == combinations)
    }

    @Test(
        arguments: [
            (9, FlushOutcome.LedgerPlace.behind), (10, .atFrom), (11, .inside), (19, .inside), (20, .atTo), (21, .past),
            (0, .behind), (.max, .past),
        ] as [(UInt64, FlushOutcome.LedgerPlace)]
    )
    func theLedgersPlaceIsRelativeToTheFlush(position: UInt64, place: FlushOutcome.LedgerPlace) {
        #expect(FlushOutcome.LedgerPlace(Offset(position), from: Offset(10), to: Offset(20)) == place)
    }
}
