internal import CChecksum
package import Records

/// The keys of a sealed segment, in a file of their own (see <doc:OnDiskFormat>), so that a start need not read the backlog.
package struct KeySidecar: Hashable, Sendable {
    static let headerBytes = 64
    static let version: UInt16 = 1
    static let magic: UInt64 = 0x5359_454B_5941_4246

    package var key: LaneKey
    package var base: Offset
    /// The last offset of the segment; base − 1 if it holds none.
    package var last: Offset
    package var entries: [KeyEntry]

    package init(key: LaneKey, base: Offset, last: Offset, entries: [KeyEntry]) {
        self.key = key
        self.base = base
        self.last = last
        self.entries = entries
    }

    package func encoded() -> [UInt8] {
        let size = Self.headerBytes + entries.count * KeyEntry.byteCount
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            let bytes = UnsafeMutableRawPointer(start)
            bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            for (index, entry) in entries.enumerated() {
                entry.encode(into: bytes + Self.headerBytes + index * KeyEntry.byteCount)
            }
            bytes.store(littleEndian: Self.magic, at: 0)
            bytes.store(littleEndian: Self.version, at: 8)
            bytes.store(littleEndian: key.queue.high, at: 16)
            bytes.store(littleEndian: key.queue.low, at: 24)
            bytes.store(littleEndian: key.lane.rawValue, at: 32)
            bytes.store(littleEndian: UInt32(entries.count), at: 36)
            bytes.store(littleEndian: base.rawValue, at: 40)
            bytes.store(littleEndian: last.rawValue, at: 48)
            bytes.store(
                littleEndian: forebay_crc32c(0, bytes + Self.headerBytes, size - Self.headerBytes),
                at: 56
            )
            bytes.store(littleEndian: forebay_crc32c(0, bytes, 60), at: 60)
            count = size
        }
    }

    /// Reads a sidecar; nil for anything that is not exactly one. It is made again then.
    package static func decode(_ content: [UInt8]) -> KeySidecar? {
        content.withUnsafeBytes { buffer in
            guard buffer.count >= headerBytes, let bytes = buffer.baseAddress,
                bytes.littleEndian(at: 0) == magic,
                bytes.littleEndian(at: 8) == version,
                bytes.littleEndian(at: 60) == forebay_crc32c(0, bytes, 60)
            else { return nil }
            let count = Int(bytes.littleEndian(at: 36, as: UInt32.self))
            guard buffer.count == headerBytes + count * KeyEntry.byteCount,
                bytes.littleEndian(at: 56)
                    == forebay_crc32c(0, bytes + headerBytes, count * KeyEntry.byteCount)
            else { return nil }
            return KeySidecar(
                key: LaneKey(
                    queue: QueueID(high: bytes.littleEndian(at: 16), low: bytes.littleEndian(at: 24)),
                    lane: LaneID(bytes.littleEndian(at: 32, as: UInt16.self))
                ),
                base: Offset(bytes.littleEndian(at: 40, as: UInt64.self)),
                last: Offset(bytes.littleEndian(at: 48, as: UInt64.self)),
                entries: (0..<count).compactMap {
                    KeyEntry.decode(bytes + headerBytes + $0 * KeyEntry.byteCount)
                }
            )
        }
    }
}
