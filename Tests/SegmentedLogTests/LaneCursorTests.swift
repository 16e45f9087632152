// Reading: exact beginnings, limits, going back, holes.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct LaneCursorTests {
    private func filled(segmentBytes: Int = 4 << 10) throws -> LaneFixture {
        let lane = try LaneFixture(segmentBytes: segmentBytes)
        for request in 1...60 { lane.append(request, rows: 7, padding: 60) }
        return lane
    }

    @Test func everyOffsetCanBeTheBeginning() throws {
        let lane = try filled()
        let all = try lane.readAll().stamps
        #expect(all.count == 420)
        for start in [0, 1, 6, 7, 100, 250, 419, 420] {
            let rows = try lane.readAll(after: Offset(UInt64(start))).stamps
            #expect(rows.map(\.stamp) == all[start...].map(\.stamp), "after \(start)")
        }
    }

    @Test func goingBackAndForthGivesTheSameRows() throws {
        let lane = try filled()
        let all = try lane.readAll().stamps
        var random = SplitMix(seed: 3)
        for _ in 0..<200 {
            let start = random.below(420)
            let rows = try lane.readAll(after: Offset(UInt64(start)), rows: 1 + random.below(20)).stamps
            #expect(!rows.isEmpty)
            #expect(rows.map(\.stamp) == all[start..<start + rows.count].map(\.stamp))
        }
    }

    @Test func limitsAreReachedByWholeBlocks() throws {
        let lane = try filled()
        #expect(try lane.readAll(rows: 1).stamps.count == 7)
        #expect(try lane.readAll(rows: 8).stamps.count == 14)
        #expect(try lane.readAll(bytes: 1).stamps.count == 7)
        #expect(try lane.readAll(rows: 0).stamps.isEmpty)
    }

    @Test func atTheEndThereIsNothingUntilThereIsMore() throws {
        let lane = try filled()
        #expect(try lane.readAll(after: Offset(420)).stamps.isEmpty)
        #expect(try lane.readAll(after: Offset(999)).stamps.isEmpty)
        lane.append(61)
        #expect(try lane.readAll(after: Offset(420)).stamps.map(\.stamp.request) == [61])
    }

    @Test func aMissingSegmentIsAHoleOfExactlyItsOffsets() throws {
        let lane = try filled()
        let segments = lane.catalogue.segments
        try lane.disk.remove(lane.path(LaneFiles.segment(segments[1].base)))
        try lane.reopen()
        let (rows, lost) = try lane.readAll()
        #expect(lost == [segments[1].base...Offset(segments[2].base.rawValue - 1)])
        #expect(rows.count == 420 - Int(segments[2].base.rawValue - segments[1].base.rawValue))
    }

    @Test func aDamagedSegmentGoesToQuarantineInsteadOfBeingTrimmed() throws {
        let lane = try filled()
        let segment = lane.catalogue.segments[1]
        let path = lane.path(LaneFiles.segment(segment.base))
        var bytes = lane.disk.content(path)
        bytes[600] ^= 1
        lane.disk.overwrite(path, with: bytes)
        #expect(try lane.readAll().lost.count == 1)
        let care = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        let trimmed = try care.trim(
            Retention(minAge: .zero, minBytes: 0),
            replicated: lane.catalogue.end,
            keepsLast: true,
            isPressed: false,
            at: lane.now
        )
        #expect(trimmed.quarantined == 1)
        let kept = try lane.disk.list(lane.path(LaneFiles.quarantine))
        #expect(kept.count == 1 && kept[0].hasPrefix(LaneFiles.segment(segment.base)))
        #expect(lane.disk.content(lane.path("\(LaneFiles.quarantine)/\(kept[0])")) == bytes)
    }

    @Test func trimmedRowsAreReportedAsMissing() throws {
        let lane = try filled()
        let care = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        _ = try care.trim(
            Retention(minAge: .zero, minBytes: 0),
            replicated: Offset(200),
            keepsLast: true,
            isPressed: false,
            at: lane.now
        )
        let first = lane.catalogue.first
        #expect(first > Offset(1) && first <= Offset(201))
        let (rows, lost) = try lane.readAll()
        #expect(lost == [Offset(1)...Offset(first.rawValue - 1)])
        #expect(rows.first?.offset == first)
    }

    @Test func theTimeOfWritingIsFoundForGrowingOffsets() throws {
        let lane = try LaneFixture(segmentBytes: 4 << 10)
        for request in 1...30 {
            lane.now = WallTime(microseconds: UInt64(request) * 1_000_000)
            lane.append(request, rows: 3, padding: 100)
        }
        for offset in stride(from: UInt64(1), to: 91, by: 4) {
            #expect(try lane.cursor.header(of: Offset(offset))?.written.seconds == UInt32((offset + 2) / 3))
        }
    }
}
