extension [UInt8] {
    mutating func append(literal text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(decimal value: Int64) {
        if value < 0 {
            append(UInt8(ascii: "-"))
        }
        var rest = value.magnitude
        let start = count
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    /// Appends `value` / 1000 with three decimals; `value` must not be negative.
    mutating func append(thousandths value: Int64) {
        append(decimal: value / 1000)
        append(UInt8(ascii: "."))
        let rest = value % 1000
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 100))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / 10 % 10))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
    }

    /// Appends the low `digits` hexadecimal digits of `value`, lower case.
    mutating func append(hexadecimal value: UInt64, digits: Int) {
        for place in stride(from: digits - 1, through: 0, by: -1) {
            append(hexadecimalDigit(value >> UInt64(4 * place)))
        }
    }
}

/// The lower-case digit of the low four bits.
package func hexadecimalDigit(_ value: UInt64) -> UInt8 {
    let nibble = UInt8(truncatingIfNeeded: value & 0xF)
    return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}
