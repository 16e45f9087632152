/// The character classes of RFC 9110 and RFC 3986 that framing depends on.
enum HTTPCharacters {
    static let tab = UInt8(ascii: "\t")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")

    /// One bit per ASCII character, in two words. The words are literals, so that no lazy initialiser stands in the
    /// loops; a test spells the sets out.
    private struct ASCIISet {
        var low: UInt64
        var high: UInt64

        @inline(__always)
        func contains(_ byte: UInt8) -> Bool {
            let word = byte < 64 ? low : high
            return byte < 128 && (word >> UInt64(byte & 63)) & 1 != 0
        }
    }

    private static let tokens = ASCIISet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    private static let targets = ASCIISet(low: 0xAFFF_FFF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF)
    private static let hosts = ASCIISet(low: 0x2FFF_7FF2_0000_0000, high: 0x47FF_FFFE_AFFF_FFFE)

    /// `tchar` of RFC 9110, section 5.6.2.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool { tokens.contains(byte) }

    /// A character of a path or a query, "%" included (RFC 3986, sections 3.3 and 3.4).
    @inline(__always)
    static func isTarget(_ byte: UInt8) -> Bool { targets.contains(byte) }

    /// A character of host and port, the brackets of an IPv6 address included (RFC 3986, section 3.2.2).
    @inline(__always)
    static func isHost(_ byte: UInt8) -> Bool { hosts.contains(byte) }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    /// The value of a hexadecimal digit, nil for anything else.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Whether a stretch holds a character that no field value may hold: a control other than HTAB (RFC 9110, section
    /// 5.5).
    @inline(__always)
    static func holdsControl(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var found: UInt8 = 0
        for byte in bytes {
            let control: UInt8 = byte < 0x20 ? 1 : 0
            let tab: UInt8 = byte == 0x09 ? 1 : 0
            let delete: UInt8 = byte == 0x7F ? 1 : 0
            found |= (control & ~tab) | delete
        }
        return found != 0
    }

    /// Compares without regard to the case of ASCII letters. `lowercase` holds letters in lower case, digits and "-"
    /// only.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, ignoringCase lowercase: StaticString) -> Bool {
        guard bytes.count == lowercase.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where bytes[index] | 0x20 != lowercase.utf8Start[index] {
            return false
        }
        return true
    }

    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ literal: StaticString) -> Bool {
        guard bytes.count == literal.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where bytes[index] != literal.utf8Start[index] {
            return false
        }
        return true
    }
}
