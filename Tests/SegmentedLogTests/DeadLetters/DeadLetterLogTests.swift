import Records
import SimulationKit
import Testing

@testable import SegmentedLog

/// Method: letters are recorded, judged and read back on a disk that forgets what was not synced, fails at single calls, and is torn and garbled
/// at every byte. What was acknowledged must be there, once; what was not must not stand in the way.
struct DeadLetterLogTests {
    @Test func lettersComeBackAsTheyWere() throws {
        let fixture = try LetterFixture()
        let letters = [LetterFixture.letter(5), LetterFixture.letter(10, 3, stream: "orders"), LetterFixture.letter(6)]
        try fixture.log.record(letters)
        for store in [fixture, try fixture.reopened(crash: true)] {
            let listed = try store.listed()
            #expect(listed.map(\.record.id) == [1, 2, 3])
            #expect(listed.map(\.rows) == letters.map(\.bytes))
            for (found, letter) in zip(listed, letters) {
                var bare = letter
                bare.bytes = []
                #expect(found.record.letter == bare)
            }
            #expect(store.recorded() == [5...6, 10...12])
            #expect(store.recorded(6...11) == [6...6, 10...11])
            #expect(store.recorded(13...20) == [])
            #expect(store.log.summary.pending == 3)
            #expect(store.log.summary.poisonEvents == 2)
            #expect(store.log.summary.parkedEvents == 3)
        }
    }

    @Test func aPositionIsRecordedOnce() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(5), LetterFixture.letter(5)])
        try fixture.log.record([LetterFixture.letter(5), LetterFixture.letter(6)])
        #expect(try fixture.listed().map(\.record.letter.first) == [Offset(5), Offset(6)])
        #expect(throws: DeadLetterLogFault.overlaps("\(LetterFixture.letter(6, 3).position)")) {
            try fixture.log.record([LetterFixture.letter(6, 3)])
        }
        let other = LaneKey(queue: QueueID(high: 7, low: 8), lane: LaneID(2))
        try fixture.log.record([LetterFixture.letter(5, lane: other)])
        #expect(try fixture.reopened(crash: true).log.summary.pending == 3)
    }

    @Test func verdictsLast() throws {
        let fixture = try LetterFixture()
        try fixture.log.record((1...4).map { LetterFixture.letter($0) })
        #expect(try fixture.log.judge([2, 2, 9], .discarded, time: 1) == [2])
        #expect(try fixture.log.judge([2, 3], .retried, time: 2) == [3])
        let reopened = try fixture.reopened(crash: true)
        #expect(try reopened.listed().map(\.record.verdict) == [nil, .discarded, .retried, nil])
        #expect(reopened.log.summary.pending == 2)
        #expect(reopened.recorded() == [1...4])
        #expect(try reopened.log.judge([2, 3], .retried, time: 3) == [])
    }

    /// Cut at every byte: acknowledged letters are there, the torn one is not, and its bytes are reported and gone.
    @Test func aTornTailIsCutOff() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        let whole = fixture.disk.bytes(LetterFixture.file(1)).count
        try fixture.log.record([LetterFixture.letter(2, 2)])
        let full = fixture.disk.bytes(LetterFixture.file(1)).count
        for length in whole..<full {
            let disk = try fixture.disk.copy()
            disk.replace(LetterFixture.file(1)) { $0 = Array($0.prefix(length)) }
            let torn = try LetterFixture(disk: disk)
            #expect(torn.recorded() == [1...1])
            #expect(torn.log.opening.corrupt.isEmpty)
            #expect(torn.log.opening.torn.map(\.bytes) == (length == whole ? [] : [whole..<length]))
            #expect(disk.bytes(LetterFixture.file(1)).count == whole)
            try torn.log.record([LetterFixture.letter(2, 2)])
            #expect(try torn.reopened(crash: true).recorded() == [1...3])
        }
    }

    /// Garbled at every byte of a frame that has a successor: exactly this frame is lost to reading, and reported, and the rest is served.
    @Test func aCorruptFrameIsReportedAndPassedOver() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        let start = fixture.disk.bytes(LetterFixture.file(1)).count
        try fixture.log.record([LetterFixture.letter(2)])
        let end = fixture.disk.bytes(LetterFixture.file(1)).count
        try fixture.log.record([LetterFixture.letter(3)])
        for position in start..<end {
            let disk = try fixture.disk.copy()
            disk.replace(LetterFixture.file(1)) { $0[position] ^= 0x40 }
            let found = try LetterFixture(disk: disk)
            #expect(found.log.opening.torn.isEmpty)
            if found.recorded() == [1...3] {
                // Padding, reserved bytes of rows, or the rows themselves: these are checked when they are read.
                continue
            }
            #expect(found.recorded() == [1...1, 3...3])
            #expect(found.log.opening.corrupt.map(\.bytes) == [start..<end])
            #expect(disk.bytes(LetterFixture.file(1)).count > end)
        }
    }

    @Test func garbledRowsAreNoticedWhenTheyAreRead() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1, bytes: 64)])
        let end = fixture.disk.bytes(LetterFixture.file(1)).count
        try fixture.log.record([LetterFixture.letter(2)])
        // Behind the rows there is padding.
        fixture.disk.replace(LetterFixture.file(1)) { bytes in
            guard let last = bytes[..<end].lastIndex(where: { $0 != 0 }) else { return }
            bytes[last] ^= 1
        }
        #expect(throws: DeadLetterLogFault.corruptRows(1)) { try fixture.listed() }
    }

    @Test func aRowCanNotPassForAFrame() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        var forged = LetterFixture.letter(2)
        forged.bytes = LetterFrame.encode(
            [.verdict(.discarded, [1], time: 0)],
            rows: [],
            salt: 0,
            file: 1
        )
        let start = fixture.disk.bytes(LetterFixture.file(1)).count
        try fixture.log.record([forged])
        try fixture.log.record([LetterFixture.letter(3)])
        fixture.disk.replace(LetterFixture.file(1)) { $0[start] = 0 }
        let found = try LetterFixture(disk: fixture.disk)
        #expect(found.recorded() == [1...1, 3...3])
        #expect(found.log.summary.pending == 2)
    }

    @Test func aFailedWriteLeavesNothing() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        fixture.disk.fail(.write)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        #expect(fixture.recorded() == [1...1])
        try fixture.log.record([LetterFixture.letter(2)])
        let reopened = try fixture.reopened(crash: true)
        #expect(reopened.recorded() == [1...2])
        #expect(try reopened.listed().map(\.record.id) == [1, 2])
    }

    /// Whether the bytes behind the failed sync survive or not, the letter is there once, under the id that was acknowledged.
    @Test(arguments: [DiskCall.sync, .truncate], [0, 1 << 20])
    func afterAFailedSyncAnotherFileIsBegun(operation: DiskCall, keeping: Int) throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(1)])
        fixture.disk.fail(operation)
        if operation == .truncate { fixture.disk.fail(.write) }
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(2)]) }
        try fixture.log.record([LetterFixture.letter(3), LetterFixture.letter(2)])
        #expect(fixture.disk.names == [LetterFixture.file(1), LetterFixture.file(2)])
        let reopened = try fixture.reopened(crash: true, keeping: keeping)
        #expect(try reopened.listed().map(\.record.letter.first) == [Offset(1), Offset(3), Offset(2)])
        #expect(try reopened.listed().map(\.record.id) == [1, 2, 3])
        #expect(reopened.log.opening.corrupt.isEmpty)
    }

    @Test(arguments: [DiskCall.open, .write, .sync, .rename, .syncDirectory])
    func aFileIsBornWholeOrNotAtAll(operation: DiskCall) throws {
        let fixture = try LetterFixture()
        fixture.disk.fail(operation)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.record([LetterFixture.letter(1)]) }
        try fixture.log.record([LetterFixture.letter(1)])
        #expect(try fixture.reopened(crash: true).recorded() == [1...1])
    }

    @Test func theBoundsAreRefusals() throws {
        let small = try LetterFixture { $0.maximumBytes = 1_100 }
        try small.log.record([LetterFixture.letter(1)])
        #expect(throws: DeadLetterLogFault.full(bytes: 1_024, limit: 1_100)) {
            try small.log.record([LetterFixture.letter(2, bytes: 400)])
        }
        let few = try LetterFixture { $0.maximumRanges = 2 }
        try few.log.record([LetterFixture.letter(1), LetterFixture.letter(3)])
        #expect(throws: DeadLetterLogFault.tooManyRanges(2)) { try few.log.record([LetterFixture.letter(5)]) }
        // A verdict is what makes room, so it is let through.
        try few.log.judge([1], .discarded, time: 0)
    }

    @Test func longTextsAreCutAtAWholeCharacter() throws {
        let fixture = try LetterFixture { $0.maximumTextBytes = 10 }
        var letter = LetterFixture.letter(1)
        letter.reason.message = "aaaaaaaa€€"
        try fixture.log.record([letter])
        #expect(try fixture.listed().first?.record.letter.reason.message == "aaaaaaaa")
    }
}
