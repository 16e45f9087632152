// Method: tell the marks what the runtime is told, and ask what may be trimmed.

import Records
import SegmentedLog
import Testing

@Suite
struct DeliveryMarksTests {
    /// Sent again after a failover, rows are no more replicated than any others. Found by the simulation.
    @Test
    func whatALedgerWentBackBehindIsReplicatedAnew() {
        var marks = DeliveryMarks(committed: Offset(80), replicated: Offset(80))
        marks.setCommitted(Offset(43))
        #expect(marks.replicated == Offset(43))
        marks.setCommitted(Offset(80))
        #expect(marks.trimmable(isPressed: true) == Offset(43))
        marks.setReplicated(Offset(60))
        #expect(marks.trimmable(isPressed: false) == Offset(60))
    }

    /// What the replicas of the old primary showed may be told after the claim on the new one.
    @Test
    func nothingIsReplicatedThatIsNotCommitted() {
        var marks = DeliveryMarks(committed: Offset(43), replicated: Offset(80))
        #expect(marks.replicated == Offset(43))
        marks.setReplicated(Offset(80))
        #expect(marks.replicated == Offset(43))
    }

    /// Degraded is a state: it says nothing about the replicas, neither to a later look nor to a later process. Found by the simulation, seed 3459.
    @Test
    func whatIsGivenUpGoesOnlyWhileThereIsNoRoom() {
        var marks = DeliveryMarks(committed: Offset(80), replicated: Offset(20))
        marks.giveUp(Offset(80))
        #expect(marks.trimmable(isPressed: true) == Offset(80))
        #expect(marks.trimmable(isPressed: false) == Offset(20))
        #expect(marks.replicated == Offset(20))
        marks.setCommitted(Offset(43))
        marks.setCommitted(Offset(90))
        #expect(marks.trimmable(isPressed: true) == Offset(43))
        marks.giveUp(.none)
        #expect(marks.trimmable(isPressed: true) == Offset(20))
    }
}
