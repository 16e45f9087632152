// The header sector: a round trip, and each check on its own.
import CChecksum
import Records
import SegmentedLog
import Testing

@Suite struct SegmentHeaderTests {
    private let header = SegmentHeader(
        key: LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(3)),
        sequence: 4,
        base: Offset(5),
        born: WallTime(microseconds: 6),
        mark: 7,
        salt: SegmentHeader.Salt(high: 8, low: 9),
        keyID: "key-1"
    )

    private func decoding(_ change: (inout [UInt8]) -> Void) -> SegmentHeader.Fault? {
        var bytes = header.encoded()
        change(&bytes)
        do throws(SegmentHeader.Fault) {
            _ = try SegmentHeader.decode(bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func whatIsEncodedIsDecoded() throws {
        #expect(header.encoded().count == 512)
        #expect(try SegmentHeader.decode(header.encoded()) == header)
        var plain = header
        plain.keyID = nil
        #expect(try SegmentHeader.decode(plain.encoded()) == plain)
    }

    @Test func theFieldsStandWhereThePageSays() {
        let bytes = header.encoded()
        #expect(Array(bytes[0..<8]) == Array("FBAYSEGM".utf8))
        #expect(bytes[8] == 1 && bytes[10] == 1)
        #expect([16, 24, 32, 40, 48, 56, 64, 72, 80].map { bytes[$0] } == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(bytes[88] == 5 && Array(bytes[89..<94]) == Array("key-1".utf8))
        #expect(bytes[152..<508].allSatisfy { $0 == 0 })
    }

    @Test func magicVersionAndChecksumAreToldApart() {
        #expect(decoding { $0[0] = 0 } == .magic)
        #expect(decoding { $0[8] = 2 } == .checksum)
        #expect(decoding { Self.rewrite(&$0) { $0[8] = 2 } } == .version(2))
        #expect(decoding { Self.rewrite(&$0) { $0[10] = 2 } } == .field("flags 2"))
        #expect(decoding { Self.rewrite(&$0) { $0[88] = 0 } } == .field("key id of 0 bytes with flags 1"))
        #expect(decoding { Self.rewrite(&$0) { $0[88] = 64 } } == .field("key id of 64 bytes with flags 1"))
        #expect(decoding { Self.rewrite(&$0) { $0[89] = 0xFF } } == .field("key id is not UTF-8"))
        #expect(decoding { Self.rewrite(&$0) { $0[48] = 0 } } == .field("base offset 0"))
        #expect(decoding { Self.rewrite(&$0) { $0[64] = 0 } } == .field("mark 0"))
        // Found by fuzzing: the number after this one ran over.
        let last = UInt64.max
        #expect(
            decoding { Self.rewrite(&$0) { $0.replaceSubrange(40..<48, with: repeatElement(0xFF, count: 8)) } }
                == .field("sequence \(last)")
        )
        #expect(decoding { $0[300] = 1 } == .checksum)
        #expect(decoding { $0.removeLast() } == .short(bytes: 511))
        #expect(decoding { $0 = [UInt8](repeating: 0, count: 512) } == .magic)
    }

    /// Changes a header as a writer would, with the checksum that belongs to it.
    private static func rewrite(_ bytes: inout [UInt8], _ change: (inout [UInt8]) -> Void) {
        change(&bytes)
        let checksum = forebay_crc32c(0, bytes, 508)
        for index in 0..<4 { bytes[508 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(index))) }
    }

    @Test func everyFlippedBitIsNoticed() {
        for bit in stride(from: 0, to: 512 * 8, by: 3) {
            #expect(decoding { $0[bit / 8] ^= 1 << (bit % 8) } != nil, "bit \(bit)")
        }
    }
}
