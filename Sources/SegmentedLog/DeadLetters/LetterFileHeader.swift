import CChecksum

/// The first 64 bytes of a dead-letter file. Format: "Dead-letter format", section "Header".
struct LetterFileHeader: Hashable, Sendable {
    static let size = 64
    static let version: UInt16 = 1
    /// "All of the file before counts."
    static let wholeFile = UInt64.max

    private static let magic = Array("FBLETTER".utf8)

    var number: UInt64
    var salt: UInt64
    /// The end of the file before this one; what lies behind it was never acknowledged.
    var previousEnd: UInt64
    /// Microseconds since 1970.
    var created: Int64
    /// The first id that was free when the file was begun, so that ids are never used twice, whatever was removed since.
    var firstID: LetterID

    enum Fault: Hashable, Sendable {
        case short
        case magic
        case version(UInt16)
        case checksum
        case number(UInt64)
        case firstID(LetterID)
    }

    func encode() -> [UInt8] {
        var writer = LetterBytesWriter()
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.writeZeros(6)
        writer.write(number)
        writer.write(salt)
        writer.write(previousEnd)
        writer.write(created)
        writer.write(firstID)
        writer.writeZeros(4)
        writer.write(forebay_crc32c(0, writer.bytes, 60))
        return writer.bytes
    }

    /// - Parameter number: the one in the file's name.
    static func decode(_ bytes: [UInt8], number: UInt64) -> Result<LetterFileHeader, LetterHeaderFault> {
        guard bytes.count >= size else { return .failure(LetterHeaderFault(.short)) }
        guard Array(bytes[0..<8]) == magic else { return .failure(LetterHeaderFault(.magic)) }
        var reader = LetterBytesReader(bytes[8..<size])
        guard let version = reader.read(UInt16.self), reader.skip(6),
            let found = reader.read(UInt64.self), let salt = reader.read(UInt64.self),
            let previousEnd = reader.read(UInt64.self), let created = reader.read(Int64.self),
            let firstID = reader.read(UInt64.self), reader.skip(4), let checksum = reader.read(UInt32.self)
        else { return .failure(LetterHeaderFault(.short)) }
        // The checksum comes before the version, so that a garbled version is not taken for a newer one.
        guard checksum == forebay_crc32c(0, bytes, 60) else { return .failure(LetterHeaderFault(.checksum)) }
        guard version == Self.version else { return .failure(LetterHeaderFault(.version(version))) }
        guard found == number else { return .failure(LetterHeaderFault(.number(found))) }
        guard firstID <= highestID else { return .failure(LetterHeaderFault(.firstID(firstID))) }
        return .success(
            LetterFileHeader(
                number: found,
                salt: salt,
                previousEnd: previousEnd,
                created: created,
                firstID: firstID
            )
        )
    }
}

struct LetterHeaderFault: Error, Hashable, Sendable, CustomStringConvertible {
    var fault: LetterFileHeader.Fault

    init(_ fault: LetterFileHeader.Fault) {
        self.fault = fault
    }

    var description: String {
        switch fault {
        case .short: "the file is shorter than its header of \(LetterFileHeader.size) bytes"
        case .magic: "the file does not begin with FBLETTER"
        case .version(let version): "version \(version); this program reads version \(LetterFileHeader.version)"
        case .checksum: "the header's checksum is wrong"
        case .number(let number): "the header says file \(number)"
        case .firstID(let id): "the header says that its letters are numbered from \(id) on"
        }
    }
}
