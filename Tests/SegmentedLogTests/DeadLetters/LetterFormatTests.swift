import CChecksum
import Records
import SimulationKit
import Testing

@testable import SegmentedLog

/// Method: encoded values are decoded again; then every prefix of them, and every header with a wrong magic, version, number or checksum, each on its own.
struct LetterFormatTests {
    private let header = LetterFileHeader(number: 3, salt: 0xFEED, previousEnd: 640, created: 5, firstID: 9)

    private func fault(_ bytes: [UInt8], number: UInt64 = 3) -> LetterFileHeader.Fault? {
        if case .failure(let fault) = LetterFileHeader.decode(bytes, number: number) { fault.fault } else { nil }
    }

    @Test func aHeaderComesBack() throws {
        #expect(header.encode().count == LetterFileHeader.size)
        #expect(try LetterFileHeader.decode(header.encode(), number: 3).get() == header)
    }

    @Test func eachPartOfAHeaderIsChecked() {
        for length in 0..<LetterFileHeader.size { #expect(fault(Array(header.encode().prefix(length))) == .short) }
        var bytes = header.encode()
        bytes[0] = 0
        #expect(fault(bytes) == .magic)
        #expect(fault(header.encode(), number: 4) == .number(3))
        // Behind 64 bytes there are reserved ones only.
        for index in 8..<64 {
            var bytes = header.encode()
            bytes[index] ^= 1
            #expect(fault(bytes) == .checksum)
        }
        #expect(fault([UInt8](repeating: 0, count: LetterFileHeader.size)) == .magic)
    }

    @Test func anotherVersionIsSaidSo() {
        var writer = LetterBytesWriter()
        writer.write(header.encode())
        writer.store(UInt16(3), at: 8)
        writer.store(forebay_crc32c(0, writer.bytes, 60), at: 60)
        #expect(fault(writer.bytes) == .version(3))
    }

    @Test func entriesComeBackAndNoPrefixDoes() {
        var letter = LetterFixture.letter(8, 2)
        letter.bytes = []
        letter.reason.constraint = ""
        let entries: [LetterEntry] = [
            .letter(4, letter, rowBytes: 40), .verdict(.retried, [1, 2, 3], time: -1),
            .mark(2, LetterFixture.lane, Offset(9)...Offset(11), .discarded),
        ]
        for entry in entries {
            var writer = LetterBytesWriter()
            entry.encode(into: &writer)
            var reader = LetterBytesReader(writer.bytes[...])
            #expect(LetterEntry.decode(&reader) == entry)
            #expect(reader.remaining == 0)
            for length in 0..<writer.bytes.count {
                var reader = LetterBytesReader(writer.bytes.prefix(length))
                #expect(LetterEntry.decode(&reader) == nil, "\(length)")
            }
        }
    }

    @Test func impossibleRangesAreNoEntries() {
        for (first, count) in [(0, 1), (1, 0), (UInt64.max, 1), (5, UInt64.max), (1, UInt64(Int.max) + 1)]
            as [(UInt64, UInt64)]
        {
            var writer = LetterBytesWriter()
            LetterEntry.mark(1, LetterFixture.lane, Offset(1)...Offset(1), .retried).encode(into: &writer)
            writer.store(first, at: 32)
            writer.store(count, at: 40)
            var reader = LetterBytesReader(writer.bytes[...])
            #expect(LetterEntry.decode(&reader) == nil, "\(first), \(count)")
        }
    }

    /// Found by fuzzing: the number after the last one ran over, and with it the process.
    @Test func idsThatNoStoreReachesAreDamage() {
        for (id, isGood) in [(UInt64.max, false), (highestID, false), (highestID - 1, true), (0, false)] {
            var writer = LetterBytesWriter()
            LetterEntry.mark(1, LetterFixture.lane, Offset(1)...Offset(1), .retried).encode(into: &writer)
            writer.store(id, at: 8)
            var reader = LetterBytesReader(writer.bytes[...])
            #expect((LetterEntry.decode(&reader) != nil) == isGood, "\(id)")

            writer = LetterBytesWriter()
            LetterEntry.verdict(.discarded, [1, id], time: 0).encode(into: &writer)
            reader = LetterBytesReader(writer.bytes[...])
            #expect((LetterEntry.decode(&reader) != nil) == isGood, "a verdict on \(id)")
        }
        var header = header
        header.firstID = .max
        #expect(fault(header.encode()) == .firstID(.max))
    }

    /// Found by fuzzing: a letter was acknowledged whose number every reader takes for damage.
    @Test func aLetterWithoutANumberIsRefused() throws {
        let disk = SimulatedDisk.withQueue()
        try disk.createDirectory(LetterFixture.path)
        let header = LetterFileHeader(
            number: 1,
            salt: 1,
            previousEnd: LetterFileHeader.wholeFile,
            created: 1,
            firstID: highestID
        )
        _ = try LetterDirectory(path: LetterFixture.path, files: disk).create(header, frames: [])
        let store = try LetterFixture(disk: disk)
        #expect(throws: DeadLetterLogFault.self) { try store.log.record([LetterFixture.letter(1)]) }
        #expect(store.recorded() == [])
    }

    /// Found by fuzzing: a file of such a name kept the whole store from being opened, or stopped the process.
    @Test func aNameThatTheStoreWouldNotWriteIsNoneOfItsFiles() throws {
        let disk = SimulatedDisk(seed: 1)
        try disk.createDirectory("dead")
        let directory = LetterDirectory(path: "dead", files: disk)
        let others = [
            "+000000000000003.letters", "ffffffffffffffff.letters", "0000000000000000.letters",
            "000000000000000A.letters",
        ]
        for name in others + ["000000000000000a.letters"] { _ = try disk.open("dead/\(name)", .create) }
        #expect(try directory.numbers() == [10])
    }

    /// Found by fuzzing: the sum of what letters say ran over.
    @Test func countsBeyondAnIntStayAtTheLargest() {
        var index = LetterIndex()
        index.begin(file: LetterIndex.FileSummary(number: 1, end: 64))
        for id in 1...3 as ClosedRange<LetterID> {
            var letter = LetterFixture.letter(1, lane: LaneKey(queue: QueueID(high: 1, low: id), lane: LaneID(1)))
            letter.kind = .unreadable
            letter.count = 1 << 62
            index.add(.letter(id, letter, rowBytes: 0), inFile: 1)
        }
        #expect(index.pendingEvents[.unreadable] == .max)
        index.add(.verdict(.discarded, [1, 2, 3], time: 0), inFile: 1)
        #expect(index.pendingCount == 0)
        #expect(index.pendingEvents[.unreadable] == 0)
    }

    @Test func lengthsBeyondTheFileAreRefusedBeforeTheyAreUsed() {
        let frame = LetterFrame.encode([.verdict(.retried, [1], time: 0)], rows: [], salt: 1, file: 1)
        #expect(LetterFrame.lengths(of: frame, salt: 1, file: 1, available: frame.count) != nil)
        #expect(LetterFrame.lengths(of: frame, salt: 1, file: 1, available: frame.count - 1) == nil)
        #expect(LetterFrame.lengths(of: frame, salt: 2, file: 1, available: frame.count) == nil)
        #expect(LetterFrame.lengths(of: frame, salt: 1, file: 2, available: frame.count) == nil)
        for field in [28, 32] {
            var writer = LetterBytesWriter()
            writer.write(frame)
            writer.store(UInt32.max, at: field)
            #expect(LetterFrame.lengths(of: writer.bytes, salt: 1, file: 1, available: .max) == nil)
        }
    }
}
