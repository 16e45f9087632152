// Tuples, sidecars, file names, hints, budgets: small formats and sums.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct SmallFormatsTests {
    @Test func tuplesAreWalkedAndEveryCutIsNoticed() {
        let tuple: [UInt8] = [0, 3, 0, 0, 0, 2, 1, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
        (tuple + tuple).withUnsafeBytes { bytes in
            #expect(TupleWalk.end(of: 0, in: bytes) == 16)
            #expect(TupleWalk.end(ofRows: 2, in: bytes) == 32)
            #expect(TupleWalk.end(ofRows: 3, in: bytes) == nil)
            #expect(TupleWalk.split(bytes, limit: 31).map { [$0.rows, $0.end] } == [1, 16])
            #expect(TupleWalk.split(bytes, limit: 1).map { [$0.rows, $0.end] } == [1, 16])
            #expect(TupleWalk.split(bytes, limit: 32).map { [$0.rows, $0.end] } == [2, 32])
        }
        for cut in 0..<16 {
            tuple[..<cut].withUnsafeBytes { #expect(TupleWalk.end(of: 0, in: $0) == nil) }
        }
        let hostile: [[UInt8]] = [
            [0xFF, 0xFF], [0, 1, 0xFF, 0xFF, 0xFF, 0xFE], [0, 1, 0x7F, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0, 0, 0, 0],
        ]
        for bytes in hostile { bytes.withUnsafeBytes { #expect(TupleWalk.end(of: 0, in: $0) == nil) } }
    }

    @Test func aSidecarIsReadBackAndEveryFlippedByteIsNoticed() {
        let request = KeyedRequest(key: IdempotencyKey(high: 1, low: 2), bodyDigest: 3)
        let sidecar = KeySidecar(
            key: LaneFixture.key,
            base: Offset(1),
            last: Offset(9),
            entries: [KeyEntry(request: request, first: Offset(4), count: 2, seconds: 77)]
        )
        let bytes = sidecar.encoded()
        #expect(KeySidecar.decode(bytes) == sidecar)
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x10
            #expect(KeySidecar.decode(damaged) == nil, "byte \(index)")
        }
        #expect(KeySidecar.decode(bytes + [0]) == nil)
        #expect(KeySidecar.decode([]) == nil)
    }

    @Test func namesStandForOffsetsAndNothingElse() {
        #expect(LaneFiles.kind(of: LaneFiles.segment(Offset(42))) == .segment(base: Offset(42)))
        #expect(LaneFiles.kind(of: LaneFiles.keys(Offset(42))) == .keys(base: Offset(42)))
        #expect(LaneFiles.kind(of: LaneFiles.spare(7)) == .spare(number: 7))
        for name in [
            "42.segment", "00000000000000000000.segment", "0000000000000000004x.segment",
            "99999999999999999999.segment",
            "+0000000000000000042.segment", "00000000000000000042.segment.bak", "WATERMARKS",
        ] {
            #expect(LaneFiles.kind(of: name) == .other, "\(name)")
        }
        #expect(LaneFiles.laneKey(ofDirectory: "\(LaneFixture.key)") == LaneFixture.key)
        #expect(LaneFiles.laneKey(ofDirectory: "\(LaneFixture.key)00000") == nil)
        #expect(LaneFiles.laneKey(ofDirectory: "lost+found") == nil)
    }

    @Test func damagedHintsAreNoHints() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.createDirectory("d")
        #expect(LaneHints.read("d", on: disk) == LaneHints())
        let hints = LaneHints(
            durable: Offset(3),
            marks: DeliveryMarks(committed: Offset(2), replicated: Offset(1), undecided: Offset(3)),
            written: WallTime(microseconds: 5)
        )
        try hints.write("d", on: disk)
        #expect(LaneHints.read("d", on: disk) == hints)
        var bytes = disk.content("d/WATERMARKS")
        bytes[20] ^= 1
        disk.overwrite("d/WATERMARKS", with: bytes)
        #expect(LaneHints.read("d", on: disk) == LaneHints())
    }

    /// Found by fuzzing: names of other programs' making stopped a lane, or the process.
    @Test func aNameThatTheLogWouldNotWriteIsNoneOfItsFiles() {
        let others = [
            "spare-007.tmp", "spare-+3.tmp", "spare-0.tmp", "spare--1.tmp", "spare-9223372036854775807.tmp",
            "18446744073709551615.segment", "09223372036854775807.segment", "18446744073709551614.keys",
        ]
        for name in others { #expect(LaneFiles.kind(of: name) == .other, "\(name)") }
        #expect(LaneFiles.kind(of: "09223372036854775806.segment") == .segment(base: Offset(UInt64.max / 2 - 1)))
        #expect(LaneFiles.kind(of: "spare-7.tmp") == .spare(number: 7))
    }

    /// Found by fuzzing: with such a watermark the lane had no offset left to give out, and the process stopped.
    @Test func hintsBeyondAnyOffsetAreNoHints() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.createDirectory("lane")
        for (durable, isBelieved) in [(UInt64.max - 1, false), (UInt64.max / 2, false), (UInt64.max / 2 - 1, true)] {
            let hints = LaneHints(
                durable: Offset(durable),
                marks: DeliveryMarks(committed: Offset(1), replicated: Offset(1)),
                written: WallTime(microseconds: 1)
            )
            try hints.write("lane", on: disk)
            #expect((LaneHints.read("lane", on: disk) == hints) == isBelieved, "\(durable)")
        }
    }

    @Test func segmentsShrinkWithTheBudget() {
        func size(_ limit: Int, lanes: Int = 2) -> Int {
            DiskBudget.segmentBytes(
                largest: 64 << 20,
                limit: limit,
                reserve: DiskBudget.standardReserve(limit: limit),
                lanes: lanes
            )
        }
        #expect(size(64 << 30) == 64 << 20)
        #expect(size(64 << 20) == 1 << 20)
        #expect(size(8 << 20) == 256 << 10)
        #expect(size(1 << 30, lanes: 256) == 256 << 10)
        #expect(DiskBudget.segmentBytes(largest: 100_000, limit: 1 << 30, reserve: 0, lanes: 1) == 100_000)
    }

    @Test func theBudgetKeepsItsReserve() {
        let budget = DiskBudget(limit: 100, reserve: 10)
        #expect(budget.claim(90))
        #expect(!budget.claim(1))
        budget.add(20)
        budget.release(25)
        #expect(budget.usedBytes == 85 && budget.hasRoom(for: 5) && !budget.hasRoom(for: 6))
    }
}
