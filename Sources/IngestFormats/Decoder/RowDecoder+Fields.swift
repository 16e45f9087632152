import Records

/// One value into one field, by the column's type.
extension RowDecoder {
    /// Writes the value at `p`, which is not null, as a field of `plan`'s type; returns the address behind it.
    @inline(__always)
    mutating func field(_ p: Bytes, _ plan: UnsafePointer<ColumnPlan>) throws(Refusal) -> Bytes {
        switch plan.pointee.type {
        case .text:
            guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
            return try textField(p)
        case .varchar:
            guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
            return try varcharField(p, plan.pointee.maximumLength)
        case .int2:
            let (value, next) = try whole(p, Int64(Int16.min)...Int64(Int16.max))
            out = FieldWriter.int2(Int16(truncatingIfNeeded: value), at: out)
            return next
        case .int4:
            let (value, next) = try whole(p, Int64(Int32.min)...Int64(Int32.max))
            out = FieldWriter.int4(Int32(truncatingIfNeeded: value), at: out)
            return next
        case .int8:
            let (value, next) = try whole(p, Int64.min...Int64.max)
            out = FieldWriter.int8(value, at: out)
            return next
        case .float8:
            let (value, next) = try double(p)
            out = FieldWriter.float8(value, at: out)
            return next
        case .float4: return try float4Field(p)
        case .timestamptz: return try timestampField(p, .required)
        case .timestamp: return try timestampField(p, .utcOnly)
        case .inet: return try networkField(p, isCIDR: false)
        case .cidr: return try networkField(p, isCIDR: true)
        case .jsonb: return try jsonField(p, .jsonb)
        case .json: return try jsonField(p, .json)
        case .bool: return try boolField(p)
        case .numeric: return try numericField(p, plan.pointee.numericLimits)
        case .date: return try dateField(p)
        case .uuid: return try uuidField(p)
        case .bytea: return try byteaField(p)
        case .textArray: return try arrayField(p, ElementType.text)
        case .int8Array: return try arrayField(p, ElementType.int8)
        case .float8Array: return try arrayField(p, ElementType.float8)
        }
    }

    /// The value at `p` is not one that the column takes: of another type, or no value at all.
    @inline(never)
    mutating func mismatch(_ p: Bytes) -> Refusal {
        switch p[0] {
        case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "-"), UInt8(ascii: "t"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            Refusal(.wrongType, at: p)
        default:
            Refusal(.value, at: p)
        }
    }

    @inline(never)
    private mutating func boolField(_ p: Bytes) throws(Refusal) -> Bytes {
        if p[0] == UInt8(ascii: "t") || p[0] == UInt8(ascii: "f") {
            let isTrue = p[0] == UInt8(ascii: "t")
            let next = try literal(p, isTrue ? "true" : "false")
            out = FieldWriter.bool(isTrue, at: out)
            return next
        }
        guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
        let text = try string(p)
        let count = text.end - text.start
        let isTrue = count == 4 && same(text.start, ("true" as StaticString).utf8Start, 4)
        guard isTrue || count == 5 && same(text.start, ("false" as StaticString).utf8Start, 5) else {
            throw Refusal(.form, at: p)
        }
        out = FieldWriter.bool(isTrue, at: out)
        return text.next
    }

    /// Characters beyond the limit are cut off if they are spaces, as PostgreSQL does.
    @inline(never)
    private mutating func varcharField(_ p: Bytes, _ limit: Int) throws(Refusal) -> Bytes {
        let field = out
        let next = try textField(p)
        let text = (field + 4).assumingMemoryBound(to: UInt8.self)
        let count = out - field - 4
        if count <= limit { return next }
        var characters = 0
        for index in 0..<count where text[index] & 0xC0 != 0x80 {
            characters += 1
            guard characters > limit else { continue }
            for rest in index..<count where text[rest] != UInt8(ascii: " ") {
                throw Refusal(.tooLong, at: p)
            }
            _ = FieldWriter.length(index, at: field)
            out = field + 4 + index
            break
        }
        return next
    }

    private mutating func timestampField(_ p: Bytes, _ zone: TimeText.Zone) throws(Refusal) -> Bytes {
        if p[0] == UInt8(ascii: "\"") {
            let text = try string(p)
            do throws(ValueFault) {
                let instant = try TimeText.instant(text.start, text.end, zone, &dayMemo)
                out = FieldWriter.int8(instant, at: out)
            } catch {
                throw Refusal(error.kind, at: p)
            }
            return text.next
        }
        let token = try number(p)
        do throws(ValueFault) {
            out = FieldWriter.int8(try TimeText.unix(token.digits), at: out)
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return token.end
    }

    @inline(never)
    private mutating func dateField(_ p: Bytes) throws(Refusal) -> Bytes {
        guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
        let text = try string(p)
        do throws(ValueFault) {
            out = FieldWriter.int4(try TimeText.date(text.start, text.end), at: out)
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return text.next
    }

    @inline(never)
    private mutating func uuidField(_ p: Bytes) throws(Refusal) -> Bytes {
        guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
        let text = try string(p)
        do throws(ValueFault) {
            let (high, low) = try UUIDText.parse(text.start, text.end)
            out = FieldWriter.uuid(high: high, low: low, at: out)
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return text.next
    }

    private mutating func networkField(_ p: Bytes, isCIDR: Bool) throws(Refusal) -> Bytes {
        guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
        let text = try string(p)
        do throws(ValueFault) {
            let address = try NetworkText.parse(text.start, text.end, isCIDR: isCIDR)
            out = FieldWriter.network(address, isCIDR: isCIDR, at: out)
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return text.next
    }

    /// Any JSON value, checked and copied as it is.
    private mutating func jsonField(_ p: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        let next = try skipValue(p, depth: 1, strictness)
        let text = UnsafeRawBufferPointer(start: p, count: next - p)
        out = strictness == .jsonb ? FieldWriter.jsonb(text, at: out) : FieldWriter.bytes(text, at: out)
        return next
    }

    /// Hexadecimal digits behind `\x`, or base64 (RFC 4648, section 4) with its padding.
    @inline(never)
    private mutating func byteaField(_ p: Bytes) throws(Refusal) -> Bytes {
        guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
        let text = try string(p)
        do throws(ValueFault) {
            let size = try BinaryText.decode(text.start, text.end, to: out + 4)
            out = FieldWriter.length(size, at: out) + size
        } catch {
            throw Refusal(error.kind, at: p)
        }
        return text.next
    }
}
