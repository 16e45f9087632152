/// Appends messages to an array of bytes, and puts in the lengths.
package struct WireWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Appends a message; what `body` appends is its body.
    package mutating func message(_ tag: UInt8, _ body: (inout WireWriter) -> Void) {
        bytes.append(tag)
        withLength(body)
    }

    /// Appends a length and what it counts: a packet without a tag.
    package mutating func withLength(_ body: (inout WireWriter) -> Void) {
        let start = bytes.count
        int32(0)
        body(&self)
        guard let length = Int32(exactly: bytes.count - start) else {
            preconditionFailure("a message of \(bytes.count - start) bytes was made; none may pass 2 GiB")
        }
        withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(start..<start + 4, with: $0) }
    }

    package mutating func byte(_ value: UInt8) {
        bytes.append(value)
    }

    package mutating func int16(_ value: Int16) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func int32(_ value: Int32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// A number of things, 65,535 at most.
    package mutating func count(_ value: Int) {
        guard let value = UInt16(exactly: value) else {
            preconditionFailure("\(value) fields in one message; the protocol counts them in 16 bits")
        }
        int16(Int16(bitPattern: value))
    }

    package mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// A text and its NUL. A NUL inside would end it early, so what follows one is left out.
    package mutating func text(_ text: some StringProtocol) {
        bytes.append(contentsOf: text.utf8.prefix { $0 != 0 })
        bytes.append(0)
    }

    package mutating func value(_ value: [UInt8]?) {
        guard let value else { return int32(-1) }
        int32(Int32(value.count))
        append(value)
    }
}
