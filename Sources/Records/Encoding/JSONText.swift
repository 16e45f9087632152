/// Strings as JSON (RFC 8259, section 7).
enum JSONText {
    static func append(string: String, to line: inout [UInt8]) {
        append(string.utf8, to: &line)
    }

    /// - Parameter utf8: valid UTF-8.
    static func append(_ utf8: some Sequence<UInt8>, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            case 0x08: line.append(contentsOf: "\\b".utf8)
            case 0x09: line.append(contentsOf: "\\t".utf8)
            case 0x0A: line.append(contentsOf: "\\n".utf8)
            case 0x0C: line.append(contentsOf: "\\f".utf8)
            case 0x0D: line.append(contentsOf: "\\r".utf8)
            case ..<0x20:
                line.append(contentsOf: "\\u00".utf8)
                line.append(hexadecimal(byte >> 4))
                line.append(hexadecimal(byte & 15))
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }

    static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? digit + 0x30 : digit - 10 + UInt8(ascii: "a")
    }
}
