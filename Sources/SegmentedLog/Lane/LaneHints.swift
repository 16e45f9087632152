internal import CChecksum
package import Records

/// The content of a lane's `WATERMARKS` file: hints, which may be stale or missing (see <doc:OnDiskFormat>).
package struct LaneHints: Hashable, Sendable {
    static let byteCount = 64
    static let version: UInt16 = 1
    static let magic: UInt64 = 0x4B52_4D57_5941_4246

    package var durable = Offset.none
    package var committed = Offset.none
    package var replicated = Offset.none
    package var written = WallTime(microseconds: 0)

    package init() {}

    package init(durable: Offset, committed: Offset, replicated: Offset, written: WallTime) {
        self.durable = durable
        self.committed = committed
        self.replicated = replicated
        self.written = written
    }

    func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            let bytes = UnsafeMutableRawPointer(start)
            bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.byteCount)
            bytes.store(littleEndian: Self.magic, at: 0)
            bytes.store(littleEndian: Self.version, at: 8)
            bytes.store(littleEndian: durable.rawValue, at: 16)
            bytes.store(littleEndian: committed.rawValue, at: 24)
            bytes.store(littleEndian: replicated.rawValue, at: 32)
            bytes.store(littleEndian: written.rawValue, at: 40)
            bytes.store(littleEndian: forebay_crc32c(0, bytes, 60), at: 60)
            count = Self.byteCount
        }
    }

    /// Reads the content; nil for anything that is not exactly that.
    static func decode(_ content: [UInt8]) -> LaneHints? {
        guard content.count == byteCount else { return nil }
        return content.withUnsafeBytes { buffer in
            guard let bytes = buffer.baseAddress,
                bytes.littleEndian(at: 0) == magic,
                bytes.littleEndian(at: 8) == version,
                bytes.littleEndian(at: 60) == forebay_crc32c(0, bytes, 60)
            else { return nil }
            let hints = LaneHints(
                durable: Offset(bytes.littleEndian(at: 16, as: UInt64.self)),
                committed: Offset(bytes.littleEndian(at: 24, as: UInt64.self)),
                replicated: Offset(bytes.littleEndian(at: 32, as: UInt64.self)),
                written: WallTime(microseconds: bytes.littleEndian(at: 40))
            )
            return max(hints.durable, hints.committed, hints.replicated) < .unreachable ? hints : nil
        }
    }

    /// The hints of a lane; all zero if there are none that can be believed.
    package static func read(_ directory: String, on fileSystem: any FileSystem) -> LaneHints {
        do throws(FileFault) {
            guard let bytes = try DurableFile.read("\(directory)/\(LaneFiles.watermarks)", on: fileSystem) else {
                return LaneHints()
            }
            return decode(bytes) ?? LaneHints()
        } catch {
            return LaneHints()
        }
    }

    package func write(_ directory: String, on fileSystem: any FileSystem) throws(FileFault) {
        try DurableFile.replaceLoosely(LaneFiles.watermarks, in: directory, with: encoded(), on: fileSystem)
    }
}
