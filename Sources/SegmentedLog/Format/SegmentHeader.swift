internal import CChecksum
package import Records

/// The first sector of a segment (see <doc:OnDiskFormat>).
package struct SegmentHeader: Hashable, Sendable {
    package static let byteCount = 512
    package static let version: UInt16 = 1
    package static let longestKeyID = 63
    static let magic: UInt64 = 0x4D47_4553_5941_4246
    static let encryptedFlag: UInt16 = 1
    /// Leaves numbers for more segments than a lane will ever have.
    static let highestSequence = UInt64.max - 1 << 32

    /// 128 random bits.
    package struct Salt: Hashable, Sendable {
        package var high: UInt64
        package var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    package var key: LaneKey
    package var sequence: UInt64
    package var base: Offset
    package var born: WallTime
    /// Carried by every block of the segment; never 0.
    package var mark: UInt64
    package var salt: Salt
    /// The id of the encryption key; nil for a segment in the clear. At most 63 bytes of UTF-8.
    package var keyID: String?

    package init(
        key: LaneKey,
        sequence: UInt64,
        base: Offset,
        born: WallTime,
        mark: UInt64,
        salt: Salt,
        keyID: String?
    ) {
        self.key = key
        self.sequence = sequence
        self.base = base
        self.born = born
        self.mark = mark
        self.salt = salt
        self.keyID = keyID
    }

    /// Why 512 bytes are no segment header.
    package enum Fault: Error, Hashable, Sendable {
        case short(bytes: Int)
        case magic
        case version(UInt16)
        case checksum
        case field(String)
    }

    /// The header sector: 512 bytes.
    package func encoded() -> [UInt8] {
        let keyText = Array((keyID ?? "").utf8)
        precondition(keyText.count <= Self.longestKeyID, "the configuration refuses longer key ids")
        return [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            let bytes = UnsafeMutableRawPointer(start)
            bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
            bytes.store(littleEndian: Self.magic, at: 0)
            bytes.store(littleEndian: Self.version, at: 8)
            bytes.store(littleEndian: keyID == nil ? UInt16(0) : Self.encryptedFlag, at: 10)
            bytes.store(littleEndian: key.queue.high, at: 16)
            bytes.store(littleEndian: key.queue.low, at: 24)
            bytes.store(littleEndian: key.lane.rawValue, at: 32)
            bytes.store(littleEndian: sequence, at: 40)
            bytes.store(littleEndian: base.rawValue, at: 48)
            bytes.store(littleEndian: born.rawValue, at: 56)
            bytes.store(littleEndian: mark, at: 64)
            bytes.store(littleEndian: salt.high, at: 72)
            bytes.store(littleEndian: salt.low, at: 80)
            bytes.store(littleEndian: UInt8(keyText.count), at: 88)
            for (index, byte) in keyText.enumerated() {
                bytes.store(littleEndian: byte, at: 89 + index)
            }
            bytes.store(littleEndian: forebay_crc32c(0, bytes, 508), at: 508)
            count = Self.byteCount
        }
    }

    /// Reads a header sector that stands in an array.
    package static func decode(_ sector: [UInt8]) throws(Fault) -> SegmentHeader {
        let result = sector.withUnsafeBytes { bytes -> Result<SegmentHeader, Fault> in
            do throws(Fault) { return .success(try decode(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Reads a header sector; magic, checksum and version are told apart, and all fields checked.
    ///
    /// The checksum comes before the version, so that a version that is not ours was really written, and is no damage.
    package static func decode(_ buffer: UnsafeRawBufferPointer) throws(Fault) -> SegmentHeader {
        guard buffer.count >= byteCount, let bytes = buffer.baseAddress else {
            throw .short(bytes: buffer.count)
        }
        guard bytes.littleEndian(at: 0) == magic else { throw .magic }
        guard bytes.littleEndian(at: 508) == forebay_crc32c(0, bytes, 508) else { throw .checksum }
        let version: UInt16 = bytes.littleEndian(at: 8)
        guard version == Self.version else { throw .version(version) }
        let flags: UInt16 = bytes.littleEndian(at: 10)
        guard flags & ~encryptedFlag == 0 else { throw .field("flags \(flags)") }
        let mark: UInt64 = bytes.littleEndian(at: 64)
        guard mark != 0 else { throw .field("mark 0") }
        let base = Offset(bytes.littleEndian(at: 48, as: UInt64.self))
        guard base > .none, base < .unreachable else { throw .field("base offset \(base)") }
        let sequence: UInt64 = bytes.littleEndian(at: 40)
        guard sequence <= highestSequence else { throw .field("sequence \(sequence)") }
        let keyLength = Int(bytes.littleEndian(at: 88, as: UInt8.self))
        guard keyLength <= longestKeyID, (keyLength > 0) == (flags & encryptedFlag != 0) else {
            throw .field("key id of \(keyLength) bytes with flags \(flags)")
        }
        var keyID: String?
        if keyLength > 0 {
            guard
                let text = String(
                    validating: UnsafeRawBufferPointer(start: bytes + 89, count: keyLength),
                    as: UTF8.self
                )
            else { throw .field("key id is not UTF-8") }
            keyID = text
        }
        return SegmentHeader(
            key: LaneKey(
                queue: QueueID(high: bytes.littleEndian(at: 16), low: bytes.littleEndian(at: 24)),
                lane: LaneID(bytes.littleEndian(at: 32, as: UInt16.self))
            ),
            sequence: sequence,
            base: base,
            born: WallTime(microseconds: bytes.littleEndian(at: 56)),
            mark: mark,
            salt: Salt(high: bytes.littleEndian(at: 72), low: bytes.littleEndian(at: 80)),
            keyID: keyID
        )
    }
}

extension SegmentHeader.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .short(let bytes): "\(bytes) bytes where a segment header has \(SegmentHeader.byteCount)"
        case .magic: "no segment header (its magic is missing)"
        case .version(let version): "segment format \(version), this version reads \(SegmentHeader.version)"
        case .checksum: "the checksum of the segment header does not match"
        case .field(let found): "bad field in the segment header: \(found)"
        }
    }
}
