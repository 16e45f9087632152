import Records

/// Putting a refusal into words. Off the hot path, so it may take its time.
extension RowDecoder {
    /// The most bytes of the body that a fault quotes, escapes included.
    private static let excerptLimit = 40
    /// The most bytes of a field's name that a fault repeats.
    private static let nameLimit = 128

    func fault(_ refusal: Refusal, event: Int, _ plan: DecodePlan) -> DecodeFault {
        let known = column >= 0 ? plan.schema.columns[column] : nil
        var field: String?
        if keyEnd > keyStart {
            let name = UnsafeBufferPointer(start: keyStart, count: min(keyEnd - keyStart, Self.nameLimit))
            field = String(decoding: name, as: UTF8.self)
        }
        return DecodeFault(
            event: event,
            reason: reason(refusal.kind),
            field: field,
            column: known?.name,
            offset: refusal.at - start,
            found: found(refusal),
            expected: expected(refusal, known)
        )
    }

    private func reason(_ kind: Refusal.Kind) -> DecodeFault.Reason {
        switch kind {
        case .value, .key, .colon, .commaOrBrace, .commaOrBracket, .literal, .number, .escape, .controlCharacter,
            .stringEnd, .trailing, .notAnObject:
            .malformed
        case .tooDeep: .tooDeep
        case .invalidUTF8: .invalidUTF8
        case .loneSurrogate: .loneSurrogate
        case .nul: .nul
        case .wrongType, .extraNotAnObject: .wrongType
        case .form, .fraction, .hostBits: .badValue
        case .range: .outOfRange
        case .tooLong: .tooLong
        case .null, .missing, .untrackedDefault: .null
        case .constant: .constant
        case .unknownField: .unknownField
        case .duplicateField: .duplicateField
        case .tooManyLayouts: .tooManyLayouts
        case .eventTooLarge: .eventTooLarge
        case .tooManyEvents: .tooManyEvents
        }
    }

    private func found(_ refusal: Refusal) -> String {
        switch refusal.kind {
        case .missing, .untrackedDefault: return "no such field"
        default: break
        }
        if refusal.at >= end { return end < hardEnd ? "the end of the line" : "the end of the body" }
        return excerpt(refusal.at)
    }

    /// The token at `first`, escaped where it is not plain text, and cut to the limit.
    private func excerpt(_ first: Bytes) -> String {
        let tokenEnd = tokenEnd(first)
        var text = ""
        var room = Self.excerptLimit
        var p = first
        while p < tokenEnd {
            let size = p[0] < 0x80 ? 1 : UTF8Scan.sequence(p, tokenEnd)
            let piece: String
            if size == 0 || size == 1 && (p[0] < 0x20 || p[0] == 0x7F) {
                let digits = String(p[0], radix: 16)
                piece = "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            } else {
                piece = String(decoding: UnsafeBufferPointer(start: p, count: size), as: UTF8.self)
            }
            // The ellipsis takes three bytes.
            let isLast = p + max(1, size) == tokenEnd
            if piece.utf8.count > room - (isLast ? 0 : 3) { return text + "…" }
            text += piece
            room -= piece.utf8.count
            p += max(1, size)
        }
        return text
    }

    private func tokenEnd(_ first: Bytes) -> Bytes {
        let limit = first + min(end - first, Self.excerptLimit + 1)
        var p = first + 1
        switch first[0] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            return limit
        case UInt8(ascii: "\""):
            while p < limit, p[0] != UInt8(ascii: "\"") {
                p += p[0] == UInt8(ascii: "\\") ? 2 : 1
            }
            return min(p + 1, limit)
        default:
            while p < limit {
                switch p[0] {
                case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"),
                    UInt8(ascii: ":"), UInt8(ascii: "\""):
                    return p
                default: p += 1
                }
            }
            return limit
        }
    }

    private func expected(_ refusal: Refusal, _ column: Column?) -> String {
        switch refusal.kind {
        case .value: "a JSON value"
        case .key: "a field's name in quotes"
        case .colon: "a colon"
        case .commaOrBrace: "a comma or a closing brace"
        case .commaOrBracket: "a comma or a closing bracket"
        case .literal: "true, false or null"
        case .number: "a number as JSON writes it"
        case .escape: "a JSON escape"
        case .controlCharacter: "no control character in a string, but its escape"
        case .stringEnd: "a closing quote"
        case .trailing: end < hardEnd ? "the end of the line" : "the end of the body"
        case .tooDeep: "at most \(limits.depth) levels of nesting"
        case .notAnObject: "an object"
        case .invalidUTF8: "UTF-8"
        case .loneSurrogate: "a surrogate pair"
        case .nul: "no U+0000, which PostgreSQL can't store"
        case .wrongType, .form: column.map { Self.form(of: $0.type) } ?? "another value"
        case .range: column.map(Self.range) ?? "a number within PostgreSQL's numeric"
        case .fraction: "a whole number"
        case .hostBits: "no bit set beyond the prefix"
        case .tooLong: "at most \(column?.maximumLength ?? 0) characters"
        case .null: "a value: the column is not null"
        case .missing: "a value: the column is not null and has no default"
        case .untrackedDefault:
            "a value: only the first \(DecodePlan.trackedDefaults) columns with a default can be left out"
        case .constant: "no value: the stream's configuration sets this column"
        case .unknownField: "a column of the stream"
        case .duplicateField: "each field once"
        case .extraNotAnObject: "an object, for unknown fields to join"
        case .tooManyLayouts: "every column with a default: too many combinations were left out"
        case .eventTooLarge: "at most \(limits.eventBytes) bytes"
        case .tooManyEvents: "at most \(limits.events) events"
        }
    }

    private static func form(of type: ColumnType) -> String {
        switch type {
        case .bool: "true or false"
        case .int2, .int4, .int8: "a whole number"
        case .float4, .float8, .numeric: "a number"
        case .text, .varchar: "a string"
        case .timestamptz: "a time with its zone (RFC 3339) or Unix time"
        case .timestamp: "a time without zone, or in UTC (RFC 3339), or Unix time"
        case .date: "a date (YYYY-MM-DD)"
        case .uuid: "a UUID"
        case .inet: "an IP address"
        case .cidr: "an IP network"
        case .json, .jsonb: "a JSON value"
        case .bytea: "base64, or \\x and hexadecimal digits"
        case .textArray: "an array of strings"
        case .int8Array: "an array of whole numbers"
        case .float8Array: "an array of numbers"
        }
    }

    private static func range(of column: Column) -> String {
        switch column.type {
        case .int2: return "a whole number from -32768 to 32767"
        case .int4: return "a whole number from -2147483648 to 2147483647"
        case .int8, .int8Array: return "a whole number from -9223372036854775808 to 9223372036854775807"
        case .float4: return "a number that fits a single-precision float"
        case .float8, .float8Array: return "a number that fits a double-precision float"
        case .numeric:
            guard let limits = column.numericLimits else { return "a number within PostgreSQL's numeric" }
            return "a number that fits numeric(\(limits.precision),\(limits.scale))"
        case .timestamptz, .timestamp: return "a time that exists, from 4714-11-24 BC to 294276-12-31"
        case .date: return "a date that exists, from 4714-11-24 BC to 5874897-12-31"
        case .inet, .cidr: return "a prefix within the address"
        case .jsonb: return "numbers within PostgreSQL's numeric"
        case .bool, .text, .varchar, .uuid, .json, .bytea, .textArray: return form(of: column.type)
        }
    }
}
