import Records

/// Numbers, given as JSON numbers or as strings that hold one.
extension RowDecoder {
    struct Whole {
        var value: Int64
        var next: Bytes
    }

    /// The JSON number at `p`.
    @inline(__always)
    mutating func number(_ p: Bytes) throws(Refusal) -> NumberScan.Token {
        guard p[0] == UInt8(ascii: "-") || p[0] &- 0x30 < 10 else { throw mismatch(p) }
        guard let token = NumberScan.json(p, end) else { throw badNumber(p) }
        return token
    }

    @inline(__always)
    mutating func whole(_ p: Bytes, _ bounds: ClosedRange<Int64>) throws(Refusal) -> (Int64, Bytes) {
        let isNegative = p[0] == UInt8(ascii: "-")
        let first = isNegative ? p + 1 : p
        var s = first
        var magnitude: Int64 = 0
        while s < end, s[0] &- 0x30 < 10 {
            magnitude = magnitude &* 10 &+ Int64(s[0] &- 0x30)
            s += 1
        }
        let count = s - first
        // 18 digits can't have wrapped; a leading zero, a point and an exponent take the long way.
        if count > 0, count <= 18, first[0] != UInt8(ascii: "0") || count == 1, s < end,
            s[0] != UInt8(ascii: "."), s[0] | 0x20 != UInt8(ascii: "e")
        {
            let value = isNegative ? -magnitude : magnitude
            guard value >= bounds.lowerBound, value <= bounds.upperBound else { throw Refusal(.range, at: p) }
            return (value, s)
        }
        let long = try longWhole(p, bounds)
        return (long.value, long.next)
    }

    @inline(never)
    private mutating func longWhole(_ p: Bytes, _ bounds: ClosedRange<Int64>) throws(Refusal) -> Whole {
        let source = try decimal(p)
        do throws(ValueFault) {
            return Whole(value: try NumberScan.whole(source.digits, bounds), next: source.end)
        } catch {
            throw Refusal(error.kind, at: p)
        }
    }

    /// The digits of the number at `p`, or of the string at `p` that holds one.
    private mutating func decimal(_ p: Bytes) throws(Refusal) -> NumberScan.Token {
        guard p[0] == UInt8(ascii: "\"") else { return try number(p) }
        let text = try string(p)
        guard let digits = NumberScan.text(text.start, text.end) else { throw Refusal(.form, at: p) }
        return NumberScan.Token(digits: digits, end: text.next)
    }

    /// A double: the usual few digits are read here in one go, the rest takes the long way.
    @inline(__always)
    mutating func double(_ p: Bytes) throws(Refusal) -> (Double, Bytes) {
        let isNegative = p[0] == UInt8(ascii: "-")
        let first = isNegative ? p + 1 : p
        var s = first
        var mantissa: UInt64 = 0
        while s < end, s[0] &- 0x30 < 10 {
            mantissa = mantissa &* 10 &+ UInt64(s[0] &- 0x30)
            s += 1
        }
        var digits = s - first
        var exponent = 0
        if digits > 0, s < end, s[0] == UInt8(ascii: ".") {
            let fraction = s + 1
            s = fraction
            while s < end, s[0] &- 0x30 < 10 {
                mantissa = mantissa &* 10 &+ UInt64(s[0] &- 0x30)
                s += 1
            }
            exponent = fraction - s
            digits = exponent == 0 ? 0 : digits - exponent
        }
        // 19 digits can't have wrapped; an exponent, more digits and odd forms take the long way.
        if digits > 0, digits <= 19, s < end, s[0] | 0x20 != UInt8(ascii: "e"),
            first[0] != UInt8(ascii: "0") || first[1] &- 0x30 >= 10
        {
            if let value = FloatText.short(mantissa, exponent) {
                return (isNegative ? -value : value, s)
            }
        }
        let long = try longDouble(p)
        return (long.value, long.next)
    }

    @inline(never)
    private mutating func longDouble(_ p: Bytes) throws(Refusal) -> (value: Double, next: Bytes) {
        if p[0] == UInt8(ascii: "\"") {
            let text = try string(p)
            if let special = FloatText.special(text.start, text.end) { return (special, text.next) }
        }
        let source = try decimal(p)
        do throws(ValueFault) {
            return (try FloatText.double(source.digits), source.end)
        } catch {
            throw Refusal(error.kind, at: p)
        }
    }

    @inline(never)
    mutating func float4Field(_ p: Bytes) throws(Refusal) -> Bytes {
        if p[0] == UInt8(ascii: "\"") {
            let text = try string(p)
            if let special = FloatText.special(text.start, text.end) {
                out = FieldWriter.float4(Float(special), at: out)
                return text.next
            }
        }
        let source = try decimal(p)
        do throws(ValueFault) {
            out = FieldWriter.float4(try FloatText.float(source.digits), at: out)
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return source.end
    }

    /// `numeric`: besides numbers, `"NaN"`, and `"Infinity"` where the column has no precision that would refuse it.
    @inline(never)
    mutating func numericField(_ p: Bytes, _ limits: Column.NumericLimits?) throws(Refusal) -> Bytes {
        if p[0] == UInt8(ascii: "\"") {
            let text = try string(p)
            if let special = FloatText.special(text.start, text.end) {
                if special.isNaN {
                    out = NumericField.write(.notANumber, at: out)
                } else if limits == nil {
                    out = NumericField.write(special < 0 ? .minusInfinity : .infinity, at: out)
                } else {
                    throw Refusal(.range, at: p)
                }
                return text.next
            }
        }
        let source = try decimal(p)
        do throws(NumericField.Overflow) {
            out = NumericField.write(try NumericField.plan(source.digits, limits: limits), at: out)
        } catch {
            throw Refusal(.range, at: p)
        }
        return source.end
    }
}
