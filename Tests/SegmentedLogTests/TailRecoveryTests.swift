// Walks every combination of the evidence, and holds the table against rules that are stated another way.
import SegmentedLog
import Testing

@Suite struct TailRecoveryTests {
    static let combinations: [TailRecovery.Evidence] = [true, false].flatMap { header in
        TailRecovery.Ending.allCases.flatMap { ending in
            [true, false].flatMap { run in
                TailRecovery.Proof.allCases.map { proof in
                    TailRecovery.Evidence(headerIsReadable: header, ending: ending, runIsOpen: run, proof: proof)
                }
            }
        }
    }

    @Test func everyCombinationHasARow() {
        #expect(Self.combinations.count == 36)
        for evidence in Self.combinations {
            #expect(TailRecovery.table.contains { $0.matches(evidence) })
        }
    }

    @Test func everyRowDecidesSomething() {
        let used = Set(Self.combinations.map { TailRecovery.decide($0).label })
        #expect(used == Set(TailRecovery.table.map(\.label)))
        #expect(used.count == TailRecovery.table.count)
    }

    @Test(arguments: combinations)
    func whatWasDurableIsNeverCut(_ evidence: TailRecovery.Evidence) {
        let verdict = TailRecovery.decide(evidence).verdict
        if evidence.proof != .none || !evidence.headerIsReadable { #expect(verdict == .corrupt) }
    }

    @Test(arguments: combinations)
    func aTailIsCleanOnlyBetweenGroupsWithNothingOpen(_ evidence: TailRecovery.Evidence) {
        let isClean = TailRecovery.decide(evidence).verdict == .clean
        #expect(
            isClean
                == (evidence.headerIsReadable && evidence.ending == .boundary && !evidence.runIsOpen
                    && evidence.proof == .none)
        )
    }

    @Test(arguments: combinations)
    func anUnprovenBrokenEndIsTorn(_ evidence: TailRecovery.Evidence) {
        guard evidence.headerIsReadable, evidence.proof == .none, evidence.ending != .boundary else { return }
        #expect(TailRecovery.decide(evidence).verdict == .torn)
    }
}
