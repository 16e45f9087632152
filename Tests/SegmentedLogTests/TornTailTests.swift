// The last group commit is cut, zeroed or flipped at every byte, and every byte of a durable group is flipped. What was acknowledged before must stand, of
// the last group's requests each is there whole or not at all, and damage to durable rows costs exactly the rows of the blocks it hits.
import CChecksum
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct TornTailTests {
    /// Two rows (request 1), then a group of a run of several blocks (request 2) and a small request (3).
    private func fixture() throws -> (lane: LaneFixture, tail: Int, end: Int) {
        let lane = try LaneFixture()
        lane.append(1, rows: 2)
        let tail = content(lane).used
        lane.append([AppendRequest(.stamped(2, rows: 16, padding: 100), key: 2), AppendRequest(.stamped(3, rows: 2))])
        return (lane, tail, content(lane).used)
    }

    private func content(_ lane: LaneFixture) -> (path: String, bytes: [UInt8], used: Int) {
        let path = lane.path("00000000000000000001.segment")
        let bytes = lane.disk.content(path)
        let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        return (path, bytes, Sector.roundUp(used))
    }

    private func check(_ lane: LaneFixture, _ comment: Comment) throws {
        let (rows, lost) = try lane.readAll()
        #expect(lost.isEmpty, comment)
        #expect(rows.prefix(2).map(\.stamp.request) == [1, 1], comment)
        let second = rows.filter { $0.stamp.request == 2 }.count
        let third = rows.filter { $0.stamp.request == 3 }.count
        #expect(second == 0 || second == 16, comment)
        #expect(third == 0 || third == 2, comment)
        #expect(lane.report.verdict != .corrupt, comment)
        let keys = try KeyHistory(context: lane.context, catalogue: lane.catalogue).load(notBefore: 0, limit: 10)
        #expect(keys.count == (second == 0 ? 0 : 1), comment)
    }

    @Test func aCutAtEveryByteOfTheLastGroupLosesNothingAcknowledged() throws {
        let (lane, tail, end) = try fixture()
        let (path, whole, _) = content(lane)
        for cut in stride(from: tail, to: end, by: 1) {
            lane.disk.overwrite(path, with: Array(whole[..<cut]) + [UInt8](repeating: 0, count: whole.count - cut))
            try lane.reopen()
            try check(lane, "cut at \(cut)")
        }
    }

    @Test func aFlipInEveryByteOfTheLastGroupIsTakenForATornWrite() throws {
        let (lane, tail, end) = try fixture()
        let (path, whole, _) = content(lane)
        for place in tail..<end {
            var bytes = whole
            bytes[place] ^= 0x40
            lane.disk.overwrite(path, with: bytes)
            try lane.reopen()
            try check(lane, "flip at \(place)")
        }
    }

    @Test func aFlipInAnEarlierGroupIsDamageOfExactlyItsRows() throws {
        let (lane, tail, _) = try fixture()
        let (path, whole, _) = content(lane)
        var damaged = 0
        for place in SegmentHeader.byteCount..<tail {
            var bytes = whole
            bytes[place] ^= 0x40
            lane.disk.overwrite(path, with: bytes)
            try lane.reopen()
            let (rows, lost) = try lane.readAll()
            if lost.isEmpty {
                // The padding behind the block belongs to nobody.
                #expect(rows.count == 20, "flip at \(place)")
            } else {
                damaged += 1
                #expect(lost == [Offset(1)...Offset(2)], "flip at \(place)")
                #expect(rows.map(\.stamp.request).first == 2 && rows.count == 18, "flip at \(place)")
                #expect(lane.report.verdict == .corrupt && lane.report.lost == lost, "flip at \(place)")
                #expect(lane.disk.content(path) == bytes, "a damaged segment is not changed")
            }
        }
        #expect(damaged >= 100)
    }

    @Test func aFlipInTheHeaderSectorCostsTheSegmentAndNamesItsRows() throws {
        let (lane, _, _) = try fixture()
        let (path, whole, _) = content(lane)
        for place in stride(from: 0, to: SegmentHeader.byteCount, by: 7) {
            var bytes = whole
            bytes[place] ^= 1
            lane.disk.overwrite(path, with: bytes)
            try lane.reopen()
            #expect(lane.report.verdict == .corrupt)
            #expect(lane.report.lost == [Offset(1)...Offset(20)], "byte \(place)")
            #expect(lane.catalogue.end == Offset(20))
        }
        let result = lane.append(4)
        #expect(result.first == Offset(21), "offsets of lost rows are not used again")
        #expect(try lane.readAll().lost == [Offset(1)...Offset(20)])
    }

    @Test func aSegmentOfANewerFormatStopsTheOpeningAndIsLeftAlone() throws {
        let (lane, _, _) = try fixture()
        let (path, whole, _) = content(lane)
        var bytes = whole
        bytes[8] = 2
        let checksum = forebay_crc32c(0, bytes, 508)
        for index in 0..<4 { bytes[508 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
        lane.disk.overwrite(path, with: bytes)
        #expect(throws: LogFault.unreadable(path: path, reason: "segment format 2, this version reads 1")) {
            try lane.reopen()
        }
        #expect(lane.disk.content(path) == bytes)
    }

    @Test func whatTheWatermarkFileRemembersIsNotTakenForTorn() throws {
        let (lane, tail, _) = try fixture()
        let (path, whole, _) = content(lane)
        let hints = LaneHints(durable: Offset(20), marks: DeliveryMarks(committed: .none, replicated: .none))
        try hints.write(LaneFixture.directory, on: lane.disk)
        lane.disk.overwrite(path, with: Array(whole[..<tail]) + [UInt8](repeating: 0, count: whole.count - tail))
        try lane.reopen()
        #expect(lane.report.verdict == .corrupt)
        #expect(lane.report.lost == [Offset(3)...Offset(20)])
        #expect(lane.append(4).first == Offset(21))
    }

    @Test func aTornTailIsCutOnceAndTheLaneGoesOnInANewSegment() throws {
        let (lane, tail, _) = try fixture()
        let (path, whole, _) = content(lane)
        lane.disk.overwrite(
            path,
            with: Array(whole[..<(tail + 700)]) + [UInt8](repeating: 0, count: whole.count - tail - 700)
        )
        try lane.reopen()
        #expect(lane.report.verdict == .torn)
        #expect(lane.report.cutBytes > 0)
        #expect(lane.disk.content(path).count < whole.count)
        #expect(lane.append(5).first == Offset(3))
        #expect(try lane.segmentNames == ["00000000000000000001.segment", "00000000000000000003.segment"])
        try lane.reopen()
        #expect(lane.report.verdict == .clean)
        #expect(try lane.readAll().stamps.map(\.stamp.request) == [1, 1, 5])
    }
}
