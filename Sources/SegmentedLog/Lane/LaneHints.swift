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
    /// What the ledger was put back from, if nobody had decided about that yet.
    package var undecided = Offset.none
    package var written = WallTime(microseconds: 0)

    package init() {}

    package init(durable: Offset, marks: DeliveryMarks, written: WallTime = WallTime(microseconds: 0)) {
        self.durable = durable
        committed = marks.committed
        replicated = marks.replicated
        undecided = marks.undecided
        self.written = written
    }

    /// The marks of a lane that ends at `end`.
    package func marks(upTo end: Offset) -> DeliveryMarks {
        DeliveryMarks(committed: min(committed, end), replicated: min(replicated, end), undecided: min(undecided, end))
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
            bytes.store(littleEndian: undecided.rawValue, at: 48)
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
            var hints = LaneHints()
            hints.durable = Offset(bytes.littleEndian(at: 16, as: UInt64.self))
            hints.committed = Offset(bytes.littleEndian(at: 24, as: UInt64.self))
            hints.replicated = Offset(bytes.littleEndian(at: 32, as: UInt64.self))
            hints.written = WallTime(microseconds: bytes.littleEndian(at: 40))
            hints.undecided = Offset(bytes.littleEndian(at: 48, as: UInt64.self))
            let highest = max(hints.durable, hints.committed, hints.replicated, hints.undecided)
            return highest < .unreachable ? hints : nil
        }
    }

    /// The hints of a lane; all zero if there are none that can be believed.
    package static func read(_ directory: String, on fileSystem: any FileSystem) -> LaneHints {
        (try? readLasting(directory, on: fileSystem)) ?? LaneHints()
    }

    /// The hints of a lane that has no segment, where they are what tells where its offsets end; all zero if there are none.
    /// - Throws: if they are there and the file system would not read them.
    static func readLasting(_ directory: String, on fileSystem: any FileSystem) throws(FileFault) -> LaneHints {
        do throws(FileFault) {
            let bytes = try DurableFile.read("\(directory)/\(LaneFiles.watermarks)", on: fileSystem)
            return bytes.flatMap(decode) ?? LaneHints()
        } catch {
            if error.isMissing { return LaneHints() }
            throw error
        }
    }

    /// - Parameter lasting: the lane has no segment that would tell where its offsets end, so that the hint is all there is.
    package func write(
        _ directory: String,
        on fileSystem: any FileSystem,
        lasting: Bool = false
    ) throws(FileFault) {
        if lasting {
            return try DurableFile.replace(LaneFiles.watermarks, in: directory, with: encoded(), on: fileSystem)
        }
        try DurableFile.replaceLoosely(LaneFiles.watermarks, in: directory, with: encoded(), on: fileSystem)
    }
}
