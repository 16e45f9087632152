/// Bytes as text: `\x` and hexadecimal digits, PostgreSQL's own form, or base64 (RFC 4648, section 4) with its padding.
enum BinaryText {
    /// Decodes to `out`, which has room for the text's length; returns the number of bytes.
    static func decode(
        _ start: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        to out: UnsafeMutableRawPointer
    ) throws(ValueFault) -> Int {
        let bytes = out.assumingMemoryBound(to: UInt8.self)
        if end - start >= 2, start[0] == UInt8(ascii: "\\"), start[1] == UInt8(ascii: "x") {
            return try hexadecimal(start + 2, end - start - 2, bytes)
        }
        return try base64(start, end - start, bytes)
    }

    private static func hexadecimal(
        _ text: UnsafePointer<UInt8>,
        _ count: Int,
        _ bytes: UnsafeMutablePointer<UInt8>
    ) throws(ValueFault) -> Int {
        guard count % 2 == 0 else { throw .form }
        for index in 0..<count / 2 {
            let high = hexDigit(text[2 * index])
            let low = hexDigit(text[2 * index + 1])
            guard high <= 15, low <= 15 else { throw .form }
            bytes[index] = high << 4 | low
        }
        return count / 2
    }

    private static func base64(
        _ text: UnsafePointer<UInt8>,
        _ count: Int,
        _ bytes: UnsafeMutablePointer<UInt8>
    ) throws(ValueFault) -> Int {
        guard count % 4 == 0 else { throw .form }
        if count == 0 { return 0 }
        let padding = text[count - 1] != UInt8(ascii: "=") ? 0 : text[count - 2] != UInt8(ascii: "=") ? 1 : 2
        var size = 0
        var group: UInt32 = 0
        for index in 0..<count {
            let digit = index < count - padding ? base64Digit(text[index]) : 0
            if digit > 63 { throw .form }
            group = group << 6 | UInt32(digit)
            if index % 4 == 3 {
                bytes[size] = UInt8(truncatingIfNeeded: group >> 16)
                bytes[size + 1] = UInt8(truncatingIfNeeded: group >> 8)
                bytes[size + 2] = UInt8(truncatingIfNeeded: group)
                size += 3
                if index < count - 1 { group = 0 }
            }
        }
        // Bits behind the last byte that are not zero would not survive the way back.
        if padding > 0, group & (padding == 1 ? 0xFF : 0xFFFF) != 0 { throw .form }
        return size - padding
    }

    /// The value of a base64 digit; 255 if it is none.
    private static func base64Digit(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: 255
        }
    }
}
