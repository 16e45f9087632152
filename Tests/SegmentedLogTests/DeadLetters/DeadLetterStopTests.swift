import Records
import SegmentedLog
import SimulationKit
import Testing

/// Method: the process, or the machine, is stopped at a chosen call; what the next process believes must be what a power cut leaves.
struct DeadLetterStopTests {
    /// Found by simulation: a process that found a file whose name had not been synced appended to it, and a power cut took the file.
    @Test func whatTheNextProcessAppendsToLasts() throws {
        let fixture = try LetterFixture()
        fixture.disk.fail(.syncDirectory)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(1)]) }
        fixture.disk.processEnd()
        let next = try fixture.reopened()
        try next.log.record([LetterFixture.letter(1)])
        #expect(try next.reopened(crash: true).recorded() == [1...1])
    }

    /// Found by simulation: a letter that was written and not synced was believed by the next process; the ledger passed its row, and a power cut took
    /// the letter.
    @Test func aLetterThatIsBelievedIsOnDisk() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        // The write passes, its sync does not.
        fixture.disk.fuse.left = 1
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        fixture.disk.processEnd()
        let next = try fixture.reopened()
        #expect(next.recorded() == [1...2])
        #expect(try next.reopened(crash: true).recorded() == [1...2])
    }

    /// Found by simulation: frames shared sectors, so that a torn write took the acknowledged frame before it.
    @Test func aTornWriteTakesNoAcknowledgedLetter() throws {
        for seed in UInt64(0)..<100 {
            let disk = SimulatedDisk(seed: seed)
            try disk.createDirectory("/queue")
            disk.settle()
            let fixture = try LetterFixture(disk: disk)
            try fixture.log.record([LetterFixture.letter(1)])
            disk.fuse.left = 1
            #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
            disk.powerCut()
            #expect(try fixture.reopened().recorded(1...1) == [1...1], "seed \(seed)")
        }
    }

    /// Found by simulation: for a lane that is gone the proxy says that everything is trimmed, and the bound of that range overflowed.
    @Test func aLaneThatIsGoneIsForgotten() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        _ = try fixture.log.compact { _ in Offset(.max) }
        #expect(fixture.recorded() == [])
    }
}
