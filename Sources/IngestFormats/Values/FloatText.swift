import Glibc
import Records

/// Correctly rounded binary floating point from decimal text.
enum FloatText {
    /// Digits beyond these can't decide a rounding, other than by being there: the longest halfway point between two
    /// doubles has 767 significant digits.
    private static let decisiveDigits = 780

    /// The nearest double; throws if the number is too large, or too small to be anything but zero.
    static func double(_ digits: DecimalDigits) throws(ValueFault) -> Double {
        let significant = digits.significant
        if significant.count == 0 { return digits.isNegative ? -0.0 : 0.0 }
        let value = withText(digits, significant) { strtod($0, nil) }
        guard value != 0, value.isFinite else { throw .range }
        return digits.isNegative ? -value : value
    }

    /// The nearest float, rounded once from the decimal text.
    static func float(_ digits: DecimalDigits) throws(ValueFault) -> Float {
        let significant = digits.significant
        if significant.count == 0 { return digits.isNegative ? -0.0 : 0.0 }
        let value = withText(digits, significant) { strtof($0, nil) }
        guard value != 0, value.isFinite else { throw .range }
        return digits.isNegative ? -value : value
    }

    /// Hands over the magnitude as `<digits>e<exponent>`, which reads the same in every locale, in bounded memory.
    private static func withText<Value>(
        _ digits: DecimalDigits,
        _ significant: (first: Int, count: Int, point: Int),
        _ body: (UnsafePointer<CChar>) -> Value
    ) -> Value {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: decisiveDigits + 40) { text in
            let kept = min(significant.count, decisiveDigits)
            for index in 0..<kept {
                text[index] = CChar(bitPattern: digits.digit(significant.first + index) + 0x30)
            }
            var length = kept
            if significant.count > kept {
                // The last significant digit is not zero, so a one stands for all that is left out.
                text[length] = CChar(bitPattern: UInt8(ascii: "1"))
                length += 1
            }
            var exponent = significant.point - length
            text[length] = CChar(bitPattern: UInt8(ascii: "e"))
            text[length + 1] = CChar(bitPattern: UInt8(ascii: exponent < 0 ? "-" : "+"))
            length += 2
            exponent = abs(exponent)
            // Eleven places hold any exponent that a capped one and the length of a body add up to.
            for place in 0..<11 {
                text[length + 10 - place] = CChar(bitPattern: UInt8(exponent % 10) + 0x30)
                exponent /= 10
            }
            text[length + 11] = 0
            return body(text.baseAddress.unsafelyUnwrapped)
        }
    }

    /// The nearest double to `mantissa` × 10^`exponent`, where 64-bit arithmetic gives it; nil where it does not.
    @inline(__always)
    static func short(_ mantissa: UInt64, _ exponent: Int) -> Double? {
        if mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
            // Both factors are exact doubles, so the one operation rounds correctly (W. Clinger, 1990).
            return exponent < 0
                ? Double(mantissa) / powersOfTen[-exponent]
                : Double(mantissa) * powersOfTen[exponent]
        }
        return exponent <= 0 && exponent >= -27 ? quotient(mantissa, -exponent) : nil
    }

    /// `mantissa` / 10^`places`, for a mantissa that is not zero and at most 27 places: 5^27 still fits in 64 bits.
    @inline(never)
    private static func quotient(_ mantissa: UInt64, _ places: Int) -> Double {
        let power = powersOfFive[places]
        let divisor = power << UInt64(power.leadingZeroBitCount)
        let dividend = mantissa << UInt64(mantissa.leadingZeroBitCount)
        // Half the dividend is less than the divisor, so that the quotient fits; it has 63 or 64 significant bits.
        let (quotient, remainder) = divisor.dividingFullWidth((dividend >> 1, dividend << 63))
        // The lowest bit lies far below the one that rounding looks at, so it can say that something is left over.
        let rounded = Double(quotient | (remainder == 0 ? 0 : 1))
        let exponent = power.leadingZeroBitCount - mantissa.leadingZeroBitCount - places - 63
        return rounded * Double(bitPattern: UInt64(1023 + exponent) << 52)
    }

    private static let powersOfFive: InlineArray<28, UInt64> = [
        1, 5, 25, 125, 625, 3125, 15_625, 78_125, 390_625, 1_953_125, 9_765_625, 48_828_125, 244_140_625, 1_220_703_125,
        6_103_515_625, 30_517_578_125, 152_587_890_625, 762_939_453_125, 3_814_697_265_625, 19_073_486_328_125,
        95_367_431_640_625, 476_837_158_203_125, 2_384_185_791_015_625, 11_920_928_955_078_125,
        59_604_644_775_390_625, 298_023_223_876_953_125, 1_490_116_119_384_765_625, 7_450_580_596_923_828_125,
    ]

    private static let powersOfTen: InlineArray<23, Double> = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20,
        1e21, 1e22,
    ]

    /// `NaN`, `Infinity` and `inf`, in any case, the latter two with a sign if need be; nil for anything else.
    static func special(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Double? {
        var p = start
        var isNegative = false
        if p < end, p[0] == UInt8(ascii: "-") || p[0] == UInt8(ascii: "+") {
            isNegative = p[0] == UInt8(ascii: "-")
            p += 1
        }
        if matches(p, end, "nan"), p == start { return .nan }
        guard matches(p, end, "infinity") || matches(p, end, "inf") else { return nil }
        return isNegative ? -Double.infinity : .infinity
    }

    private static func matches(
        _ p: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        _ word: StaticString
    ) -> Bool {
        guard end - p == word.utf8CodeUnitCount else { return false }
        for index in 0..<word.utf8CodeUnitCount where p[index] | 0x20 != word.utf8Start[index] {
            return false
        }
        return true
    }
}
