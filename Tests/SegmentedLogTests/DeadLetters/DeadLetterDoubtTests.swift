import Records
import SegmentedLog
import SimulationKit
import Testing

/// Method: a sync fails, with or without the calls that begin the next file; the process is killed, or its power cut, at once; what the next process
/// believes is held against what this one said.
struct DeadLetterDoubtTests {
    /// A letter whose sync fails, beside one that is acknowledged.
    private func failed(beginsNext: Bool, _ change: (SimulatedDisk) -> Void = { _ in }) throws -> LetterFixture {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        change(fixture.disk)
        fixture.disk.fail(.sync)
        if !beginsNext { fixture.disk.fail(.open, 1_000) }
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        #expect(fixture.recorded() == [1...1])
        return fixture
    }

    /// Found by simulation: the letter was there again, its row having landed meanwhile.
    @Test(arguments: [false, true])
    func aLetterThatFailedStaysAway(afterAPowerCut: Bool) throws {
        for seed in UInt64(0)..<50 {
            let disk = SimulatedDisk(seed: seed)
            try disk.createDirectory("/queue")
            disk.settle()
            let fixture = try LetterFixture(disk: disk)
            try fixture.log.record([LetterFixture.letter(1)])
            disk.fail(.sync)
            #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
            try fixture.log.endDoubts(of: LetterFixture.lane)
            if afterAPowerCut { disk.powerCut() } else { disk.processEnd() }
            #expect(try fixture.reopened().recorded() == [1...1], "seed \(seed)")
        }
    }

    /// Where no next file can be begun the lane is told so, until one can.
    @Test func noRowIsSentWhileItsLetterIsInDoubt() throws {
        let fixture = try failed(beginsNext: false)
        let other = LaneKey(queue: LetterFixture.lane.queue, lane: LaneID(9))
        try fixture.log.endDoubts(of: other)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.endDoubts(of: LetterFixture.lane) }
        fixture.disk.fail(.open, 0)
        try fixture.log.endDoubts(of: LetterFixture.lane)
        fixture.disk.processEnd()
        #expect(try fixture.reopened().recorded() == [1...1])
    }

    /// The next file has its name, and the directory could not be synced: it may be gone after a power cut.
    @Test func aNextFileWhoseNameMayGoEndsNoDoubt() throws {
        let fixture = try failed(beginsNext: true) { $0.fail(.syncDirectory, 1_000) }
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.endDoubts(of: LetterFixture.lane) }
        fixture.disk.fail(.syncDirectory, 0)
        try fixture.log.endDoubts(of: LetterFixture.lane)
        #expect(try fixture.reopened(crash: true).recorded() == [1...1])
    }

    @Test func theNextLetterEndsTheDoubtAsWell() throws {
        let fixture = try failed(beginsNext: false)
        fixture.disk.fail(.open, 0)
        try fixture.log.record([LetterFixture.letter(3)])
        try fixture.log.endDoubts(of: LetterFixture.lane)
        fixture.disk.processEnd()
        #expect(try fixture.reopened().recorded() == [1...1, 3...3])
    }

    /// The file that a failed letter stands in was written anew, the letter with it.
    @Test func aCompactionLeavesTheHighestFileAlone() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1, bytes: 1_500)])
        try fixture.log.judge([1], .discarded, time: 1)
        fixture.disk.fail(.sync)
        // Of the calls that begin the next file the first fails, and no other.
        fixture.disk.fail(.open)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        #expect(try fixture.log.compact { _ in .none }.rewritten == 0)
        try fixture.log.endDoubts(of: LetterFixture.lane)
        fixture.disk.processEnd()
        #expect(try fixture.reopened().recorded() == [1...1])
    }

    /// A verdict that could not be recorded was read from the file by a compaction, which dropped the letter's rows.
    @Test func aCompactionBelievesNoVerdictInDoubt() throws {
        let fixture = try LetterFixture { $0.maximumFileBytes = 2_000 }
        // Long enough for a file of their own.
        try fixture.log.record([LetterFixture.letter(1, bytes: 1_500), LetterFixture.letter(2, bytes: 1_500)])
        try fixture.log.record([LetterFixture.letter(3, bytes: 1_500)])
        try fixture.log.judge([1], .discarded, time: 1)
        fixture.disk.fail(.sync)
        fixture.disk.fail(.open)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.judge([2], .discarded, time: 1) }
        #expect(try fixture.log.compact { _ in .none }.rewritten == 1)
        #expect(try fixture.listed().map(\.record.id).contains(2))
        #expect(try fixture.listed().first { $0.record.id == 2 }?.rows == LetterFixture.letter(2, bytes: 1_500).bytes)
    }
}
