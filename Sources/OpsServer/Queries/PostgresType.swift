import NIOCore

/// The types of PostgreSQL that JSON has a form for (OIDs of `pg_type.dat`); all others are texts.
enum PostgresType {
    static func name(of oid: Int32) -> String { names[oid] ?? "oid \(oid)" }

    private static let names: [Int32: String] = [
        16: "bool", 17: "bytea", 18: "char", 19: "name", 20: "int8", 21: "int2", 23: "int4", 25: "text", 26: "oid",
        114: "json", 600: "point", 650: "cidr", 700: "float4", 701: "float8", 774: "macaddr8", 829: "macaddr",
        869: "inet", 1000: "bool[]", 1005: "int2[]", 1007: "int4[]", 1009: "text[]", 1015: "varchar[]",
        1016: "int8[]", 1021: "float4[]", 1022: "float8[]", 1042: "bpchar", 1043: "varchar", 1082: "date",
        1083: "time", 1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1266: "timetz", 1700: "numeric",
        2950: "uuid", 3220: "pg_lsn", 3802: "jsonb",
    ]

    /// - Parameter value: as PostgreSQL writes it as a text; nil is NULL.
    static func writeJSON(_ value: [UInt8]?, type: Int32, into buffer: inout ByteBuffer) {
        guard let value else {
            buffer.writeString("null")
            return
        }
        switch type {
        case 16: buffer.writeString(value == [UInt8(ascii: "t")] ? "true" : "false")
        case 20, 21, 23, 26: buffer.writeBytes(value)
        case 700, 701, 1700:
            // "NaN" and "Infinity" are no numbers there.
            if let last = value.last, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last) {
                buffer.writeBytes(value)
            } else {
                writeText(value, into: &buffer)
            }
        case 114, 3802:
            // Lines may be broken between members, never within a text.
            buffer.writeBytes(value.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        case 1114, 1184: writeText(moment(value), into: &buffer)
        default: writeText(value, into: &buffer)
        }
    }

    /// `2026-01-01 00:00:00+00` as in RFC 3339. What that can't say stays as it is: infinities, and years before Christ.
    private static func moment(_ value: [UInt8]) -> [UInt8] {
        guard let space = value.firstIndex(of: UInt8(ascii: " ")), value.last != UInt8(ascii: "C") else { return value }
        var moment = value
        moment[space] = UInt8(ascii: "T")
        if moment.suffix(3).elementsEqual("+00".utf8) {
            moment.removeLast(3)
            moment.append(UInt8(ascii: "Z"))
        }
        return moment
    }

    /// A text in quotes (RFC 8259, section 7). What is not UTF-8 becomes U+FFFD.
    static func writeText(_ bytes: [UInt8], into buffer: inout ByteBuffer) {
        buffer.writeInteger(UInt8(ascii: "\""))
        let valid = bytes.contains { $0 >= 0x80 } ? Array(String(decoding: bytes, as: UTF8.self).utf8) : bytes
        var rest = valid[...]
        while !rest.isEmpty {
            let plain = rest.prefix { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            buffer.writeBytes(plain)
            rest = rest[plain.endIndex...]
            guard let byte = rest.popFirst() else { break }
            switch byte {
            case UInt8(ascii: "\""): buffer.writeString("\\\"")
            case UInt8(ascii: "\\"): buffer.writeString("\\\\")
            case 0x0A: buffer.writeString("\\n")
            case 0x0D: buffer.writeString("\\r")
            case 0x09: buffer.writeString("\\t")
            default:
                let digits = Array("0123456789abcdef".utf8)
                buffer.writeString("\\u00")
                buffer.writeInteger(digits[Int(byte >> 4)])
                buffer.writeInteger(digits[Int(byte & 15)])
            }
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }
}
