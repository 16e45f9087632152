import Records

/// Reading numbers as text. Nothing here is copied, and the work is bounded by the text's length.
enum NumberScan {
    struct Token {
        var digits: DecimalDigits
        var end: UnsafePointer<UInt8>
    }

    /// A number as RFC 8259, section 6, has it, beginning at `start`; nil if there is none.
    static func json(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Token? {
        var p = start
        let isNegative = p < end && p[0] == UInt8(ascii: "-")
        if isNegative { p += 1 }
        let integer = p
        p = skipDigits(p, end)
        let integerCount = p - integer
        guard integerCount == 1 || integerCount > 1 && integer[0] != UInt8(ascii: "0") else { return nil }
        var fraction = p
        if p < end, p[0] == UInt8(ascii: ".") {
            fraction = p + 1
            p = skipDigits(fraction, end)
            if p == fraction { return nil }
        }
        let fractionCount = p - fraction
        guard let exponent = exponent(&p, end) else { return nil }
        let digits = DecimalDigits(
            isNegative: isNegative,
            integer: UnsafeRawBufferPointer(start: integer, count: integerCount),
            fraction: UnsafeRawBufferPointer(start: fraction, count: fractionCount),
            exponent: exponent
        )
        return Token(digits: digits, end: p)
    }

    /// A number as PostgreSQL takes it as text: like JSON's, but with a plus sign, leading zeros, and digits on one side of
    /// the point only. It must take up all of the text.
    static func text(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> DecimalDigits? {
        var p = start
        let isNegative = p < end && p[0] == UInt8(ascii: "-")
        if isNegative || p < end && p[0] == UInt8(ascii: "+") { p += 1 }
        let integer = p
        p = skipDigits(p, end)
        let integerCount = p - integer
        var fraction = p
        if p < end, p[0] == UInt8(ascii: ".") {
            fraction = p + 1
            p = skipDigits(fraction, end)
        }
        let fractionCount = p - fraction
        guard integerCount + fractionCount > 0, let exponent = exponent(&p, end), p == end else { return nil }
        return DecimalDigits(
            isNegative: isNegative,
            integer: UnsafeRawBufferPointer(start: integer, count: integerCount),
            fraction: UnsafeRawBufferPointer(start: fraction, count: fractionCount),
            exponent: exponent
        )
    }

    @inline(__always)
    static func skipDigits(
        _ start: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) -> UnsafePointer<UInt8> {
        var p = start
        while p < end, p[0] &- 0x30 < 10 { p += 1 }
        return p
    }

    /// The exponent at `p`, 0 if there is none, capped; nil if a mark has no digits behind it.
    private static func exponent(_ p: inout UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Int? {
        guard p < end, p[0] | 0x20 == UInt8(ascii: "e") else { return 0 }
        p += 1
        var isNegative = false
        if p < end, p[0] == UInt8(ascii: "-") || p[0] == UInt8(ascii: "+") {
            isNegative = p[0] == UInt8(ascii: "-")
            p += 1
        }
        let first = p
        var value = 0
        while p < end, p[0] &- 0x30 < 10 {
            value = min(value * 10 + Int(p[0] &- 0x30), DecimalDigits.exponentLimit)
            p += 1
        }
        if p == first { return nil }
        return isNegative ? -value : value
    }

    /// The whole number that the digits stand for, if it lies within the bounds: `1e3` and `1.0` are whole, `1.5` is not.
    static func whole(_ digits: DecimalDigits, _ bounds: ClosedRange<Int64>) throws(ValueFault) -> Int64 {
        let significant = digits.significant
        if significant.count == 0 { return 0 }
        if significant.point < significant.count { throw .fraction }
        if significant.point > 19 { throw .range }
        var magnitude: UInt64 = 0
        for index in 0..<significant.point {
            let digit = index < significant.count ? digits.digit(significant.first + index) : 0
            magnitude = magnitude &* 10 &+ UInt64(digit)
        }
        // 19 digits stay below 2^64, so the product has not wrapped.
        guard magnitude <= UInt64(Int64.max) + (digits.isNegative ? 1 : 0) else { throw .range }
        let value = digits.isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
        guard bounds.contains(value) else { throw .range }
        return value
    }
}
