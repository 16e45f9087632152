/// Takes the fields of one message's body, in order. Every read is compared with the bytes left.
///
/// The bytes belong to the caller and must outlive the reader.
package struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private let tag: UInt8
    package private(set) var offset: Int

    package init(_ bytes: UnsafeRawBufferPointer, tag: UInt8) {
        self.bytes = bytes
        self.tag = tag
        offset = 0
    }

    package var remaining: Int { bytes.count - offset }

    package mutating func byte() throws(WireFault) -> UInt8 {
        guard remaining >= 1 else { throw .truncated(tag: tag) }
        defer { offset += 1 }
        return bytes[offset]
    }

    package mutating func int16() throws(WireFault) -> Int16 {
        guard remaining >= 2 else { throw .truncated(tag: tag) }
        defer { offset += 2 }
        return Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self))
    }

    package mutating func int32() throws(WireFault) -> Int32 {
        guard remaining >= 4 else { throw .truncated(tag: tag) }
        defer { offset += 4 }
        return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
    }

    /// A number of things of which each takes `each` bytes at least. Counts are unsigned 16-bit numbers.
    package mutating func count(each: Int) throws(WireFault) -> Int {
        let count = Int(UInt16(bitPattern: try int16()))
        guard count * each <= remaining else { throw .truncated(tag: tag) }
        return count
    }

    /// The place of a text without the NUL that ends it.
    package mutating func textRange() throws(WireFault) -> Range<Int> {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        guard let end = rest.firstIndex(of: 0) else { throw .truncated(tag: tag) }
        defer { offset += end + 1 }
        return offset..<offset + end
    }

    package mutating func text() throws(WireFault) -> String {
        let range = try textRange()
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw .field(tag: tag, "a text is not UTF-8")
        }
        return text
    }

    /// A text in whatever encoding.
    package mutating func textBytes() throws(WireFault) -> [UInt8] {
        Array(bytes[try textRange()])
    }

    package mutating func take(_ count: Int) throws(WireFault) -> [UInt8] {
        guard count >= 0, remaining >= count else { throw .truncated(tag: tag) }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    package mutating func rest() -> [UInt8] {
        defer { offset = bytes.count }
        return Array(bytes[offset...])
    }

    /// A value with its length before it; nil for a length of -1, which is NULL.
    package mutating func value() throws(WireFault) -> [UInt8]? {
        let length = Int(try int32())
        guard length >= -1 else { throw .field(tag: tag, "a value of \(length) bytes") }
        return length < 0 ? nil : try take(length)
    }

    package func expectEnd() throws(WireFault) {
        guard remaining == 0 else { throw .trailing(tag: tag, bytes: remaining) }
    }
}
