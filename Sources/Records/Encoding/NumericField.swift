/// The binary form of `numeric`: big-endian Int16 words for the number of digits, the weight of the first, the sign and the
/// display scale, then the digits to base 10,000 (PostgreSQL's `numeric_send`).
package enum NumericField {
    /// What `numeric` holds at most: digits before the point, and digits after it (PostgreSQL manual, table 8.2).
    package static let integerDigitLimit = 131_072
    package static let scaleLimit = 16_383

    package enum Special: UInt16, Sendable {
        case notANumber = 0xC000
        case infinity = 0xD000
        case minusInfinity = 0xF000
    }

    /// The number is too large for the column, or for `numeric` itself.
    package struct Overflow: Error, Hashable, Sendable {
        package init() {}
    }

    /// A number ready to be written: `count` significant digits from `first` on, the last one raised by one if `roundsUp`.
    package struct Plan {
        fileprivate var digits: DecimalDigits
        fileprivate var first: Int
        fileprivate var count: Int
        /// Where the point stands, counted from the first significant digit.
        fileprivate var point: Int
        fileprivate var roundsUp: Bool
        fileprivate var scale: Int

        /// The bytes of the field, its length word included.
        package var byteCount: Int { 12 + 2 * words }

        /// In words of four digits; the shift rounds towards minus infinity.
        fileprivate var weight: Int { count == 0 ? 0 : (point - 1) >> 2 }

        /// How many digits stand in the first word.
        fileprivate var leading: Int { point - 4 * weight }

        fileprivate var words: Int {
            if count == 0 { return 0 }
            return count <= leading ? 1 : 1 + (count - leading + 3) / 4
        }
    }

    /// Rounds to the column's scale, half away from zero, and checks the range, both as PostgreSQL does for text input.
    package static func plan(
        _ digits: DecimalDigits,
        limits: Column.NumericLimits?
    ) throws(Overflow) -> Plan {
        if digits.exponent.magnitude >= DecimalDigits.exponentLimit {
            throw Overflow()
        }
        let significant = digits.significant
        var plan = Plan(
            digits: digits,
            first: significant.first,
            count: significant.count,
            point: significant.point,
            roundsUp: false,
            scale: max(0, digits.fraction.count - digits.exponent)
        )
        if let limits {
            plan.scale = max(0, limits.scale)
            plan.round(toScale: limits.scale)
            if plan.count > 0, plan.point > limits.precision - limits.scale {
                throw Overflow()
            }
        }
        if plan.scale > scaleLimit || plan.count > 0 && plan.point > integerDigitLimit {
            throw Overflow()
        }
        return plan
    }

    /// Writes the field, ``Plan/byteCount`` bytes, and returns the address behind it.
    package static func write(_ plan: Plan, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        let negative = plan.digits.isNegative && plan.count > 0
        var next = FieldWriter.length(plan.byteCount - 4, at: out)
        next = FieldWriter.store(UInt16(truncatingIfNeeded: plan.words), at: next)
        next = FieldWriter.store(UInt16(truncatingIfNeeded: plan.weight), at: next)
        next = FieldWriter.store(UInt16(negative ? 0x4000 : 0), at: next)
        next = FieldWriter.store(UInt16(truncatingIfNeeded: plan.scale), at: next)
        var taken = 0
        var size = plan.leading
        for _ in 0..<plan.words {
            var word: UInt16 = 0
            for _ in 0..<size {
                word *= 10
                if taken < plan.count {
                    word += plan.digit(taken)
                }
                taken += 1
            }
            next = FieldWriter.store(word, at: next)
            size = 4
        }
        return next
    }

    package static func write(_ special: Special, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var next = FieldWriter.length(8, at: out)
        next = FieldWriter.store(UInt32(0), at: next)
        next = FieldWriter.store(special.rawValue, at: next)
        // PostgreSQL sends a scale of 32 with its infinities and ignores it on the way in.
        return FieldWriter.store(UInt16(special == .notANumber ? 0 : 32), at: next)
    }
}

extension NumericField.Plan {
    fileprivate func digit(_ index: Int) -> UInt16 {
        if digits.count == 0 { return 1 }
        let digit = UInt16(digits.digit(first + index))
        return roundsUp && index == count - 1 ? digit + 1 : digit
    }

    /// Leaves `scale` digits behind the point, or zeros before it if `scale` is negative.
    fileprivate mutating func round(toScale scale: Int) {
        let kept = point + scale
        guard count > 0, kept < count else { return }
        if kept < 0 || kept == 0 && digit(0) < 5 {
            count = 0
            return
        }
        if digit(kept) < 5 {
            count = kept
            while digit(count - 1) == 0 {
                count -= 1
            }
            return
        }
        count = kept
        while count > 0, digit(count - 1) == 9 {
            count -= 1
        }
        if count > 0 {
            roundsUp = true
            return
        }
        // All nines: the result is a one, a place further left; an empty run of digits stands for it.
        digits.integer = UnsafeRawBufferPointer(start: nil, count: 0)
        digits.fraction = digits.integer
        count = 1
        point += 1
    }
}
