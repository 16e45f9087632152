import CChecksum
import Records

/// The checksums of the queue's files, worked out apart from the code that reads them (pages "On-disk format" and "Dead-letter format").
///
/// A fuzzer can't guess a checksum: they are made right for it, so that it gets to what lies behind them.
struct QueueChecksums {
    var fixes: Bool
    var identifies: Bool

    private static let block: UInt32 = 0x4B4C_4246
    private static let frame: UInt32 = 0x464C_4246

    func mendSegment(_ bytes: inout [UInt8], base: Offset) {
        guard fixes, bytes.count >= 512 else { return }
        if identifies {
            identify(&bytes, queueAt: 16)
            bytes.store(base.rawValue, at: 48)
        }
        bytes.store(Self.sum(bytes, 0..<508), at: 508)
        var position = 512
        while position + 96 <= bytes.count {
            guard bytes.field(at: position) == Self.block else {
                position = (position + 512) & ~511
                continue
            }
            if identifies {
                identify(&bytes, queueAt: position + 8)
                bytes.store(bytes.field(at: 64, as: UInt64.self), at: position + 32)
            }
            let keys: UInt32 = bytes.field(at: position + 84)
            let stored: UInt32 = bytes.field(at: position + 80)
            let end = position + 96 + Int(keys) + Int(stored)
            if end <= bytes.count { bytes.store(Self.sum(bytes, position + 96..<end), at: position + 88) }
            bytes.store(Self.sum(bytes, position..<position + 92), at: position + 92)
            let endsGroup = bytes[position + 6] & 2 != 0
            position = endsGroup ? (end + 511) & ~511 : end
        }
    }

    func mendSidecar(_ bytes: inout [UInt8], base: Offset) {
        guard fixes, bytes.count >= 64 else { return }
        if identifies {
            identify(&bytes, queueAt: 16)
            bytes.store(base.rawValue, at: 40)
            bytes.store(UInt32((bytes.count - 64) / 40), at: 36)
        }
        bytes.store(Self.sum(bytes, 64..<bytes.count), at: 56)
        bytes.store(Self.sum(bytes, 0..<60), at: 60)
    }

    func mendWatermarks(_ bytes: inout [UInt8]) {
        guard fixes, bytes.count == 64 else { return }
        bytes.store(Self.sum(bytes, 0..<60), at: 60)
    }

    func mendLetters(_ bytes: inout [UInt8], number: UInt64) {
        guard fixes, bytes.count >= 64 else { return }
        if identifies { bytes.store(number, at: 16) }
        bytes.store(Self.sum(bytes, 0..<60), at: 60)
        var position = 64
        while position + 48 <= bytes.count {
            guard bytes.field(at: position) == Self.frame else {
                position += 8
                continue
            }
            if identifies {
                bytes.store(bytes.field(at: 24, as: UInt64.self), at: position + 8)
                bytes.store(number, at: position + 16)
            }
            let entries: UInt32 = bytes.field(at: position + 28)
            let rows: UInt32 = bytes.field(at: position + 32)
            let rowStart = position + 48 + Int(entries)
            let end = rowStart + Int(rows)
            if end <= bytes.count {
                bytes.store(Self.sum(bytes, rowStart..<end), at: position + 36)
                bytes.store(Self.sum(bytes, position + 8..<rowStart), at: position + 4)
            }
            position = (end + 7) & ~7
        }
    }

    /// Where blocks begin whose checksums hold.
    static func blocks(in bytes: [UInt8]) -> [Int] {
        guard bytes.count >= 96 else { return [] }
        return (0...bytes.count - 96).filter { start in
            guard bytes.field(at: start) == block, sum(bytes, start..<start + 92) == bytes.field(at: start + 92) else {
                return false
            }
            let length =
                Int(bytes.field(at: start + 80, as: UInt32.self)) + Int(bytes.field(at: start + 84, as: UInt32.self))
            let end = start + 96 + length
            return end <= bytes.count && sum(bytes, start + 96..<end) == bytes.field(at: start + 88)
        }
    }

    private func identify(_ bytes: inout [UInt8], queueAt offset: Int) {
        bytes.store(QueueImage.key.queue.high, at: offset)
        bytes.store(QueueImage.key.queue.low, at: offset + 8)
        bytes.store(QueueImage.key.lane.rawValue, at: offset + 16)
    }

    private static func sum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
        bytes.withUnsafeBytes { buffer in
            buffer.baseAddress.map { forebay_crc32c_table(0, $0 + range.lowerBound, range.count) } ?? 0
        }
    }
}

extension [UInt8] {
    /// The little-endian integer at `offset`.
    func field<Field: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as _: Field.Type = Field.self) -> Field {
        withUnsafeBytes { Field(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Field.self)) }
    }

    mutating func store<Field: FixedWidthInteger & BitwiseCopyable>(_ value: Field, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Field.self) }
    }
}
