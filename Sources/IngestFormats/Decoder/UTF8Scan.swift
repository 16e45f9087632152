/// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Scan {
    /// The length of the sequence of two to four bytes at `p`; 0 if there is none that ends before `end`.
    static func sequence(_ p: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int {
        let left = end - p
        func continues(_ index: Int) -> Bool { p[index] & 0xC0 == 0x80 }
        switch p[0] {
        case 0xC2...0xDF:
            return left >= 2 && continues(1) ? 2 : 0
        case 0xE0...0xEF:
            guard left >= 3, continues(1), continues(2) else { return 0 }
            if p[0] == 0xE0, p[1] < 0xA0 { return 0 }
            if p[0] == 0xED, p[1] > 0x9F { return 0 }
            return 3
        case 0xF0...0xF4:
            guard left >= 4, continues(1), continues(2), continues(3) else { return 0 }
            if p[0] == 0xF0, p[1] < 0x90 { return 0 }
            if p[0] == 0xF4, p[1] > 0x8F { return 0 }
            return 4
        default:
            return 0
        }
    }

    /// Writes a scalar value, at most four bytes; returns the address behind it.
    @inline(__always)
    static func write(_ scalar: UInt32, at out: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(truncatingIfNeeded: 0x80 | scalar >> shift & 0x3F) }
        switch scalar {
        case ..<0x80:
            out[0] = UInt8(truncatingIfNeeded: scalar)
            return out + 1
        case ..<0x800:
            out[0] = UInt8(truncatingIfNeeded: 0xC0 | scalar >> 6)
            out[1] = tail(0)
            return out + 2
        case ..<0x1_0000:
            out[0] = UInt8(truncatingIfNeeded: 0xE0 | scalar >> 12)
            out[1] = tail(6)
            out[2] = tail(0)
            return out + 3
        default:
            out[0] = UInt8(truncatingIfNeeded: 0xF0 | scalar >> 18)
            out[1] = tail(12)
            out[2] = tail(6)
            out[3] = tail(0)
            return out + 4
        }
    }
}

/// The value of four hexadecimal digits; nil if they are not.
func hexWord(_ p: UnsafePointer<UInt8>) -> UInt32? {
    var word: UInt32 = 0
    for index in 0..<4 {
        let digit = hexDigit(p[index])
        if digit > 15 { return nil }
        word = word << 4 | UInt32(digit)
    }
    return word
}

/// The value of a hexadecimal digit; 255 if it is none.
@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt8 {
    if byte &- 0x30 < 10 { return byte &- 0x30 }
    let letter = byte | 0x20
    return letter &- 0x61 < 6 ? letter &- 0x61 + 10 : 255
}
