// Method: hand the function what replicas show, and hold its answer against the sentence in the test's name.

import Records
import Testing
import Topology

@Suite
struct ReplicatedWatermarkTests {
    private let claim = LedgerRow(epoch: 7, position: Offset(100))

    private func select(_ shown: [(epoch: Int64, position: UInt64)], required: Int) -> Offset? {
        ReplicatedWatermark.select(
            from: shown.map { LedgerRow(epoch: $0.epoch, position: Offset($0.position)) },
            required: required,
            claim: claim
        )
    }

    @Test
    func withoutReplicasThePrimaryDecides() {
        #expect(select([], required: 0) == Offset(100))
        #expect(select([(7, 10)], required: 0) == Offset(100))
    }

    @Test
    func theSlowestRequiredReplicaDecides() {
        #expect(select([(7, 90), (7, 40)], required: 2) == Offset(40))
        #expect(select([(7, 90), (7, 40)], required: 1) == Offset(90))
    }

    @Test
    func aMissingReplicaHoldsEverything() {
        #expect(select([(7, 90)], required: 2) == nil)
        #expect(select([], required: 1) == nil)
    }

    @Test
    func anotherEpochDoesNotCountHoweverFarItIs() {
        #expect(select([(6, 100), (8, 100)], required: 1) == nil)
        #expect(select([(6, 100), (7, 30)], required: 1) == Offset(30))
    }

    @Test
    func aReplicaAheadOfWhatThePrimaryShowedCountsAsThat() {
        #expect(select([(7, 500)], required: 1) == Offset(100))
    }
}
