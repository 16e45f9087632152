/// What is wrong with bytes that were taken for a message.
package enum WireFault: Error, Hashable, Sendable {
    /// A length that no message has: smaller than its own four bytes, or beyond the limit.
    case length(Int, limit: Int)
    /// The body ends within a field.
    case truncated(tag: UInt8)
    /// The body goes on behind its last field.
    case trailing(tag: UInt8, bytes: Int)
    /// No message of this role and state has the tag.
    case unknownTag(UInt8)
    /// A field holds what it may not.
    case field(tag: UInt8, String)
    /// The first packet has a code or a version that is not of protocol 3.
    case version(Int)
    case tooManyParameters(limit: Int)
}

extension WireFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .length(let length, let limit): "a message of \(length) bytes; expected 4 to \(limit)"
        case .truncated(let tag): "message \(name(tag)) ends before its last field"
        case .trailing(let tag, let bytes): "message \(name(tag)) has \(bytes) bytes behind its last field"
        case .unknownTag(let tag): "no message \(name(tag)) is expected here"
        case .field(let tag, let what): "message \(name(tag)): \(what)"
        case .version(let code): "protocol \(code >> 16).\(code & 0xFFFF); expected 3.0 to 3.2"
        case .tooManyParameters(let limit): "more than \(limit) startup parameters"
        }
    }

    /// The tag as the manual writes it, or its number.
    private func name(_ tag: UInt8) -> String {
        switch tag {
        case 0: "startup"
        case 0x21...0x7E: "'\(Character(UnicodeScalar(tag)))'"
        default: "number \(tag)"
        }
    }
}
