import CChecksum

/// What one call records, as bytes. Format: "Dead-letter format", section "Frame".
struct LetterFrame: Hashable, Sendable {
    static let headerSize = 48
    /// A sector that holds an acknowledged frame is never written again: a torn write could take the frame with it.
    static let alignment = Sector.byteCount
    /// Of entries, and of rows.
    static let maximumPart = 64 << 20

    private static let magic: UInt32 = 0x464C_4246  // "FBLF"

    /// The header's fields that a reader needs once the frame is known to be good.
    struct Lengths: Hashable, Sendable {
        var entryCount: Int
        var entryBytes: Int
        var rowBytes: Int
        var entryChecksum: UInt32
        var rowChecksum: UInt32

        /// The whole frame, padding included.
        var frame: Int {
            (headerSize + entryBytes + rowBytes + alignment - 1) / alignment * alignment
        }
    }

    static func encode(_ entries: [LetterEntry], rows: [UInt8], salt: UInt64, file: UInt64) -> [UInt8] {
        var writer = LetterBytesWriter()
        writer.write(magic)
        writer.write(UInt32(0))
        writer.write(salt)
        writer.write(file)
        writer.write(UInt32(entries.count))
        writer.write(UInt32(0))
        writer.write(UInt32(rows.count))
        writer.write(forebay_crc32c(0, rows, rows.count))
        writer.writeZeros(8)
        for entry in entries { entry.encode(into: &writer) }
        let end = writer.bytes.count
        writer.store(UInt32(end - headerSize), at: 28)
        writer.store(checksum(writer.bytes), at: 4)
        writer.write(rows)
        writer.writeZeros((alignment - writer.bytes.count % alignment) % alignment)
        return writer.bytes
    }

    /// CRC-32C of everything behind the checksum's own field.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { forebay_crc32c(0, $0.baseAddress! + 8, $0.count - 8) }
    }

    /// Whether a frame might begin here; cheap.
    static func begins(_ bytes: ArraySlice<UInt8>) -> Bool {
        var reader = LetterBytesReader(bytes)
        return reader.read(UInt32.self) == magic
    }

    static func rowsAreGood(_ rows: [UInt8], _ lengths: Lengths) -> Bool {
        rows.count == lengths.rowBytes && forebay_crc32c(0, rows, rows.count) == lengths.rowChecksum
    }

    /// Checks all of a header that can be checked without the entries; nil if it is none, or if the frame would not fit.
    ///
    /// - Parameter available: bytes from the frame's beginning to the end of what counts.
    static func lengths(of header: [UInt8], salt: UInt64, file: UInt64, available: Int) -> Lengths? {
        var reader = LetterBytesReader(header[...])
        guard reader.remaining >= headerSize,
            reader.read(UInt32.self) == magic, let entryChecksum = reader.read(UInt32.self),
            reader.read(UInt64.self) == salt, reader.read(UInt64.self) == file,
            let count = reader.read(UInt32.self), let entryBytes = reader.read(UInt32.self),
            let rowBytes = reader.read(UInt32.self), let rowChecksum = reader.read(UInt32.self),
            entryBytes <= maximumPart, rowBytes <= maximumPart
        else { return nil }
        let lengths = Lengths(
            entryCount: Int(count),
            entryBytes: Int(entryBytes),
            rowBytes: Int(rowBytes),
            entryChecksum: entryChecksum,
            rowChecksum: rowChecksum
        )
        return lengths.frame <= available ? lengths : nil
    }

    /// Decodes the entries of a frame; nil if their checksum or anything else is wrong.
    ///
    /// - Parameter headAndEntries: the frame's header and its entries, nothing more.
    static func entries(_ headAndEntries: [UInt8], _ lengths: Lengths) -> [LetterEntry]? {
        guard headAndEntries.count == headerSize + lengths.entryBytes,
            checksum(headAndEntries) == lengths.entryChecksum
        else { return nil }
        var reader = LetterBytesReader(headAndEntries[headerSize...])
        var entries: [LetterEntry] = []
        var rowBytes = 0
        for _ in 0..<lengths.entryCount {
            guard let entry = LetterEntry.decode(&reader) else { return nil }
            if case .letter(_, _, let bytes) = entry { rowBytes += bytes }
            entries.append(entry)
        }
        guard reader.remaining == 0, rowBytes == lengths.rowBytes else { return nil }
        return entries
    }
}
