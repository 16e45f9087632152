internal import CChecksum
package import Records

/// The 96 bytes before a block's keys and payload (see <doc:OnDiskFormat>).
package struct BlockHeader: Hashable, Sendable {
    package static let byteCount = 96
    package static let version: UInt16 = 1
    /// The most bytes of rows in a block. A block goes beyond 256 KiB only for a single large row.
    package static let maximumRawLength = 256 << 20
    static let magic: UInt32 = 0x4B4C_4246
    /// The bytes at the beginning that encryption authenticates: all but the two checksums.
    static let authenticatedBytes = 88

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt16

        package init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// The request goes on in the next block.
        package static let continues = Flags(rawValue: 1)
        /// The next block begins at the next sector, in another group commit.
        package static let groupEnds = Flags(rawValue: 2)
        package static let compressed = Flags(rawValue: 4)
        package static let encrypted = Flags(rawValue: 8)
        static let known: Flags = [.continues, .groupEnds, .compressed, .encrypted]
    }

    package var flags: Flags
    package var key: LaneKey
    /// The number of the block within its segment, from 0.
    package var number: UInt32
    /// The segment's mark.
    package var mark: UInt64
    package var fingerprint: Fingerprint
    package var first: Offset
    /// Every offset below this one was synced before the block was written.
    package var floor: Offset
    package var written: WallTime
    package var rows: Int
    package var rawLength: Int
    package var storedLength: Int
    package var keysLength: Int
    /// CRC-32C over keys and payload as stored.
    package var bodyChecksum: UInt32

    /// The offset of the last row.
    package var last: Offset { first.advanced(by: rows - 1) }
    /// Bytes from the beginning of the header to the end of the payload.
    package var totalBytes: Int { Self.byteCount + keysLength + storedLength }

    /// Where the next block begins, given where this one does.
    package func next(after position: Int) -> Int {
        let end = position + totalBytes
        return flags.contains(.groupEnds) ? Sector.roundUp(end) : end
    }

    /// Why 96 bytes are no block header.
    package enum Fault: Error, Hashable, Sendable {
        case magic
        case version(UInt16)
        case checksum
        case field(String)
    }

    /// Writes everything but the header's own checksum, which `seal` adds.
    func encode(into bytes: UnsafeMutableRawPointer) {
        bytes.store(littleEndian: Self.magic, at: 0)
        bytes.store(littleEndian: Self.version, at: 4)
        bytes.store(littleEndian: flags.rawValue, at: 6)
        bytes.store(littleEndian: key.queue.high, at: 8)
        bytes.store(littleEndian: key.queue.low, at: 16)
        bytes.store(littleEndian: key.lane.rawValue, at: 24)
        bytes.store(littleEndian: UInt16(0), at: 26)
        bytes.store(littleEndian: number, at: 28)
        bytes.store(littleEndian: mark, at: 32)
        bytes.store(littleEndian: fingerprint.rawValue, at: 40)
        bytes.store(littleEndian: first.rawValue, at: 48)
        bytes.store(littleEndian: floor.rawValue, at: 56)
        bytes.store(littleEndian: written.rawValue, at: 64)
        bytes.store(littleEndian: UInt32(rows), at: 72)
        bytes.store(littleEndian: UInt32(rawLength), at: 76)
        bytes.store(littleEndian: UInt32(storedLength), at: 80)
        bytes.store(littleEndian: UInt32(keysLength), at: 84)
    }

    /// Adds both checksums to an encoded header.
    static func seal(_ bytes: UnsafeMutableRawPointer, bodyChecksum: UInt32) {
        bytes.store(littleEndian: bodyChecksum, at: 88)
        bytes.store(littleEndian: forebay_crc32c(0, bytes, 92), at: 92)
    }

    /// Reads a header; `bytes` has at least 96. Magic, version and checksum are told apart, and all fields checked.
    static func decode(_ bytes: UnsafeRawPointer) throws(Fault) -> BlockHeader {
        guard bytes.littleEndian(at: 0) == magic else { throw .magic }
        let version: UInt16 = bytes.littleEndian(at: 4)
        guard version == Self.version else { throw .version(version) }
        guard bytes.littleEndian(at: 92) == forebay_crc32c(0, bytes, 92) else { throw .checksum }
        let header = BlockHeader(
            flags: Flags(rawValue: bytes.littleEndian(at: 6)),
            key: LaneKey(
                queue: QueueID(high: bytes.littleEndian(at: 8), low: bytes.littleEndian(at: 16)),
                lane: LaneID(bytes.littleEndian(at: 24, as: UInt16.self))
            ),
            number: bytes.littleEndian(at: 28),
            mark: bytes.littleEndian(at: 32),
            fingerprint: Fingerprint(bytes.littleEndian(at: 40, as: UInt64.self)),
            first: Offset(bytes.littleEndian(at: 48, as: UInt64.self)),
            floor: Offset(bytes.littleEndian(at: 56, as: UInt64.self)),
            written: WallTime(microseconds: bytes.littleEndian(at: 64)),
            rows: Int(bytes.littleEndian(at: 72, as: UInt32.self)),
            rawLength: Int(bytes.littleEndian(at: 76, as: UInt32.self)),
            storedLength: Int(bytes.littleEndian(at: 80, as: UInt32.self)),
            keysLength: Int(bytes.littleEndian(at: 84, as: UInt32.self)),
            bodyChecksum: bytes.littleEndian(at: 88)
        )
        if let complaint = header.complaint { throw .field(complaint) }
        return header
    }

    /// What is wrong with the fields, each within its own bounds and all of them together; nil if nothing is.
    private var complaint: String? {
        if !flags.isSubset(of: .known) { return "flags \(flags.rawValue)" }
        if fingerprint.rawValue == 0 { return "fingerprint 0" }
        if mark == 0 { return "mark 0" }
        if first.rawValue == 0 || first >= .unreachable { return "first offset \(first)" }
        if floor > first { return "floor \(floor) above the first offset \(first)" }
        if rows < 1 || rows > rawLength / 2 { return "\(rows) rows in \(rawLength) bytes" }
        if first.advanced(by: rows) > .unreachable { return "\(rows) rows from offset \(first) on" }
        if rawLength > Self.maximumRawLength { return "raw length \(rawLength)" }
        if keysLength % KeyEntry.byteCount != 0 || keysLength / KeyEntry.byteCount > rows {
            return "keys length \(keysLength)"
        }
        let tag = flags.contains(.encrypted) ? SegmentCipher.tagBytes : 0
        let payload = storedLength - tag
        if flags.contains(.compressed) ? (payload < 1 || payload >= rawLength) : payload != rawLength {
            return "stored length \(storedLength) of \(rawLength) raw bytes"
        }
        // An LZ4 block can't hold more than 255 times its length.
        if flags.contains(.compressed), rawLength / 255 > payload { return "\(rawLength) bytes in \(payload)" }
        return nil
    }
}

/// The unit of padding: a sector that holds durable data is not written with other content again.
package enum Sector {
    package static let byteCount = 512

    package static func roundUp(_ position: Int) -> Int {
        (position + (byteCount - 1)) & ~(byteCount - 1)
    }
}

extension BlockHeader.Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .magic: "no block header (its magic is missing)"
        case .version(let version): "block format \(version), this version reads \(BlockHeader.version)"
        case .checksum: "the checksum of the block header does not match"
        case .field(let found): "bad field in the block header: \(found)"
        }
    }
}
