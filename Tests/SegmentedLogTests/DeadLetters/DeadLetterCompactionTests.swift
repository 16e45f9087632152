import Records
import SegmentedLog
import SimulationKit
import Testing

/// Method: letters over several small files are judged, the queue is trimmed, and the files are compacted; at each point a reopened store must
/// know the same letters and positions as before.
struct DeadLetterCompactionTests {
    /// Files of about three letters each.
    private func store() throws -> LetterFixture {
        let fixture = try LetterFixture { $0.maximumFileBytes = 2_000 }
        for first in UInt64(1)...12 { try fixture.log.record([LetterFixture.letter(first)]) }
        return fixture
    }

    @Test func settledLettersBecomeMarksAndKeepTheirPositions() throws {
        let fixture = try store()
        let files = fixture.disk.names.count
        #expect(files > 2)
        try fixture.log.judge(1...9, .retried, time: 0)
        let done = try fixture.log.compact { _ in .none }
        #expect(done.rewritten > 0 && done.bytesFreed > 0)
        for store in [fixture, try fixture.reopened(crash: true)] {
            #expect(store.recorded() == [1...12])
            #expect(try store.listed().filter { $0.record.verdict == nil }.map(\.record.id) == [10, 11, 12])
            #expect(store.log.summary.pending == 3)
            #expect(try store.log.judge([1, 5, 9], .discarded, time: 0) == [])
        }
    }

    @Test func whatTheQueueHasTrimmedIsForgotten() throws {
        let fixture = try store()
        try fixture.log.judge(1...12, .discarded, time: 0)
        _ = try fixture.log.compact { _ in Offset(12) }
        #expect(fixture.recorded() == [])
        #expect(fixture.disk.names.count < 3)
        let reopened = try fixture.reopened(crash: true)
        try reopened.log.record([LetterFixture.letter(20)])
        #expect(try reopened.listed().filter { $0.record.verdict == nil }.map(\.record.id) == [13])
    }

    @Test func pendingLettersStayHoweverOldTheyAre() throws {
        let fixture = try store()
        try fixture.log.judge([1, 2], .discarded, time: 0)
        _ = try fixture.log.compact { _ in Offset(1_000) }
        let pending = try fixture.reopened(crash: true).listed().filter { $0.record.verdict == nil }
        #expect(pending.map(\.record.id) == Array(3...12))
        #expect(pending.map(\.rows) == (3...12).map { LetterFixture.letter($0).bytes })
    }

    /// Each call of a compaction fails once: nothing is lost, and the next compaction succeeds.
    @Test(arguments: [DiskCall.open, .write, .sync, .rename, .syncDirectory, .remove, .read], [false, true])
    func aCompactionThatFailsLosesNothing(operation: DiskCall, crashes: Bool) throws {
        let fixture = try store()
        try fixture.log.judge(1...9, .retried, time: 0)
        fixture.disk.fail(operation)
        _ = try? fixture.log.compact { _ in Offset(3) }
        fixture.disk.fail(operation, 0)
        let after = crashes ? try fixture.reopened(crash: true) : fixture
        _ = try after.log.compact { _ in Offset(3) }
        let reopened = try after.reopened(crash: true)
        #expect(reopened.log.opening.corrupt.isEmpty)
        #expect(reopened.log.summary.pending == 3)
        #expect(reopened.recorded(4...12) == [4...12])
    }

    /// The bytes behind a failed sync must not come to count when the file that says so has nothing else to say.
    @Test func theEndOfAFailedFileIsRemembered() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        fixture.disk.fail(.sync)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        try fixture.log.record([LetterFixture.letter(3)])
        let next = try fixture.reopened(crash: true, keeping: 1 << 20)
        try next.log.judge([2], .discarded, time: 0)
        // Another failed sync begins a third file, so that the second can be compacted away.
        fixture.disk.fail(.sync)
        #expect(throws: DeadLetterLogFault.self) { try next.log.record([LetterFixture.letter(4)]) }
        try next.log.record([LetterFixture.letter(5)])
        _ = try next.log.compact { _ in Offset(3) }
        _ = try next.log.compact { _ in Offset(3) }
        let last = try next.reopened(crash: true)
        #expect(try last.listed().map(\.record.letter.first) == [Offset(1), Offset(5)])
    }

    @Test func aFileWithACorruptFrameIsLeftAlone() throws {
        let fixture = try store()
        let path = LetterFixture.file(1)
        fixture.disk.replace(path) { $0[LetterFixture.headerBytes + 6] ^= 1 }
        let damaged = try fixture.reopened()
        let bytes = damaged.disk.bytes(path)
        try damaged.log.judge(1...12, .discarded, time: 0)
        _ = try damaged.log.compact { _ in Offset(12) }
        #expect(damaged.disk.bytes(path) == bytes)
    }
}
