// The header sector: a round trip, and each check on its own.
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
        #expect(decoding { $0[8] = 2 } == .version(2))
        #expect(decoding { $0[300] = 1 } == .checksum)
        #expect(decoding { $0.removeLast() } == .short(bytes: 511))
        #expect(decoding { $0 = [UInt8](repeating: 0, count: 512) } == .magic)
    }

    @Test func everyFlippedBitIsNoticed() {
        for bit in 0..<(512 * 8) {
            #expect(decoding { $0[bit / 8] ^= 1 << (bit % 8) } != nil, "bit \(bit)")
        }
    }
}
