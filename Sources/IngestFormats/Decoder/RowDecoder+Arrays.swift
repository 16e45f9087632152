import Records

/// JSON arrays into one-dimensional PostgreSQL arrays.
extension RowDecoder {
    /// Writes the array at `first`, of strings or numbers and nulls, as a field.
    @inline(never)
    mutating func arrayField(_ first: Bytes, _ type: UInt32) throws(Refusal) -> Bytes {
        guard first[0] == UInt8(ascii: "[") else { throw mismatch(first) }
        // The batch may move while it grows, so the field is found by its distance from the start.
        let field = out - base
        makeRoom(FieldWriter.arrayHeader, before: first)
        out += FieldWriter.arrayHeader
        var elements = 0
        var hasNull = false
        var p = skipSpace(first + 1)
        if p < end, p[0] == UInt8(ascii: "]") {
            p += 1
        } else {
            while true {
                guard p < end else { throw Refusal(.value, at: p) }
                makeRoom(12, before: p)
                elements += 1
                if p[0] == UInt8(ascii: "n") {
                    p = try literal(p, "null")
                    out = FieldWriter.null(at: out)
                    hasNull = true
                } else {
                    p = try element(p, type)
                }
                p = skipSpace(p)
                guard p < end else { throw Refusal(.commaOrBracket, at: p) }
                if p[0] == UInt8(ascii: "]") {
                    p += 1
                    break
                }
                guard p[0] == UInt8(ascii: ",") else { throw Refusal(.commaOrBracket, at: p) }
                p = skipSpace(p + 1)
            }
        }
        out = FieldWriter.endArray(type, elements: elements, hasNull: hasNull, start: base + field, end: out)
        return p
    }

    private mutating func element(_ p: Bytes, _ type: UInt32) throws(Refusal) -> Bytes {
        switch type {
        case ElementType.text:
            guard p[0] == UInt8(ascii: "\"") else { throw mismatch(p) }
            return try textField(p)
        case ElementType.int8:
            let (value, next) = try whole(p, Int64.min...Int64.max)
            out = FieldWriter.int8(value, at: out)
            return next
        default:
            let (value, next) = try double(p)
            out = FieldWriter.float8(value, at: out)
            return next
        }
    }
}
