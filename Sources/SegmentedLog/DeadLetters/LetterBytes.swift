/// Appends little-endian fields.
struct LetterBytesWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write<Field: FixedWidthInteger>(_ value: Field) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ other: [UInt8]) {
        bytes.append(contentsOf: other)
    }

    mutating func writeZeros(_ count: Int) {
        bytes.append(contentsOf: repeatElement(0, count: count))
    }

    /// A text: a length of 4 bytes, all ones for none, and its bytes.
    mutating func write(text: String?) {
        guard let text else { return write(UInt32.max) }
        write(UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    mutating func store<Field: FixedWidthInteger>(_ value: Field, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { field in
            for (index, byte) in field.enumerated() { bytes[offset + index] = byte }
        }
    }
}

/// Reads little-endian fields; nil past the end.
struct LetterBytesReader {
    private let bytes: ArraySlice<UInt8>
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - position }

    mutating func read<Field: FixedWidthInteger>(_: Field.Type = Field.self) -> Field? {
        let size = MemoryLayout<Field>.size
        guard remaining >= size else { return nil }
        var value = Field.zero
        for index in (0..<size).reversed() {
            value = value << 8 | Field(truncatingIfNeeded: bytes[position + index])
        }
        position += size
        return value
    }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, remaining >= count else { return false }
        position += count
        return true
    }

    /// A text; the outer nil for bytes that are not one, the inner for "there is none".
    mutating func readText() -> String?? {
        guard let length = read(UInt32.self) else { return nil }
        if length == .max { return .some(nil) }
        guard Int(length) <= remaining else { return nil }
        let text = String(validating: bytes[position..<(position + Int(length))], as: UTF8.self)
        guard let text else { return nil }
        position += Int(length)
        return .some(text)
    }
}
