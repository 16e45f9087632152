package import Records

/// Makes JSON events for given columns: mostly values that a column of the type might take, some of them changed a little, so that many
/// come close to the borders of what is accepted.
package struct EventGenerator {
    private var random: FuzzRandom

    package init(seed: UInt64) {
        random = FuzzRandom(seed: seed)
    }

    /// One object, without a line feed.
    package mutating func event(for columns: [Column]) -> [UInt8] {
        var members: [String] = []
        for column in columns where column.notNull || random.below(3) > 0 {
            members.append(space() + "\"\(name(column.name))\"" + space() + ":" + space() + value(of: column) + space())
        }
        if random.below(4) == 0 { members.shuffle(using: &random) }
        return Array(("{" + members.joined(separator: ",") + "}").utf8)
    }

    /// Another event, a few bytes away.
    package mutating func mutant(of event: [UInt8]) -> [UInt8] {
        var event = event
        for _ in 0...random.below(3) where !event.isEmpty {
            let place = random.below(event.count)
            switch random.below(5) {
            case 0: event.remove(at: place)
            case 1: event.insert(pick(Array("0123456789.eE+-\":,\\{}[] Tn\u{7F}".utf8)), at: place)
            case 2: event[place] = pick(Array("0123456789.eE+-\":,\\/ aZ".utf8))
            case 3: event[place] ^= 1 << UInt8(random.below(8))
            default:
                let end = min(event.count, place + 1 + random.below(8))
                event.insert(contentsOf: event[place..<end], at: place)
            }
        }
        return event
    }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[random.below(values.count)] }

    private mutating func space() -> String { random.below(12) == 0 ? pick([" ", "\t", "  "]) : "" }

    /// A name, now and then with an escape.
    private mutating func name(_ name: String) -> String {
        guard random.below(20) == 0, let first = name.utf8.first else { return name }
        let digits = String(first, radix: 16)
        return "\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits + name.dropFirst()
    }

    private mutating func value(of column: Column) -> String {
        if random.below(15) == 0 { return "null" }
        switch column.type {
        case .bool: return pick(["true", "false", "\"true\"", "\"false\"", "\"TRUE\"", "1"])
        case .int2, .int4, .int8: return quotedAtTimes(whole())
        case .float4, .float8: return quotedAtTimes(number())
        case .numeric: return quotedAtTimes(number())
        case .text: return string(12)
        case .varchar: return string((column.maximumLength ?? 6) + 2)
        case .timestamptz: return random.below(4) == 0 ? unixTime() : "\"\(time())\(pick(Self.zones))\(bc())\""
        case .timestamp:
            return random.below(4) == 0 ? unixTime() : "\"\(time())\(pick(["", "", "Z", "+00", "+00:00"]))\(bc())\""
        case .date: return "\"" + pick([day() + bc(), day(), "infinity", "-infinity"]) + "\""
        case .uuid: return "\"\(uuid())\""
        case .inet, .cidr: return "\"\(address())\(random.below(2) == 0 ? "/\(random.below(130))" : "")\""
        case .json, .jsonb: return document(3)
        case .bytea: return "\"\(binary())\""
        case .textArray: return array { $0.string(4) }
        case .int8Array: return array { $0.quotedAtTimes($0.whole()) }
        case .float8Array: return array { $0.quotedAtTimes($0.number()) }
        }
    }

    private static let zones = ["Z", "z", "+00", "-05", "+0530", "+05:30", "-15:59", "+15:59", "+16", ""]

    private mutating func quotedAtTimes(_ number: String) -> String {
        switch random.below(8) {
        case 0: "\"\(number)\""
        case 1: "\"\(pick(["+", "0", "00", "-"]))\(number)\""
        case 2: pick(["\"NaN\"", "\"Infinity\"", "\"-inf\"", "\"nan\"", "\"+Infinity\""])
        default: number
        }
    }

    private mutating func digits(_ limit: Int) -> String {
        var text = ""
        for _ in 0...random.below(limit) { text += String(random.below(10)) }
        return text
    }

    private mutating func whole() -> String {
        let borders = [
            "0", "-0", "32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483648",
            "9223372036854775807",
            "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1e3", "1.0", "12e-1", "120e-1",
            "1E2",
        ]
        switch random.below(3) {
        case 0: return pick(borders)
        case 1: return (random.below(2) == 0 ? "-" : "") + String(random.next() >> UInt64(random.below(64)))
        default: return "\(random.below(10))" + (random.below(2) == 0 ? ".\(digits(3))" : "") + "e\(random.below(19))"
        }
    }

    private mutating func number() -> String {
        let borders = [
            "0", "-0.0", "1e308", "1.7976931348623157e308", "1.7976931348623159e308", "4.9e-324", "2.4e-324",
            "2.5e-324",
            "2.2250738585072014e-308", "2.2250738585072011e-308", "3.4028235e38", "3.4028236e38", "1.4e-45", "7e-46",
            "9007199254740993", "0.1", "0.30000000000000004", "5e-1", "1e22", "1e23", "8.5e-1", "9.995", "999.995",
            "0.005",
            "0.00005", "99999.5", "1e16", "123456789012345678", "16777217", "33554435.0", "1e-7", "1e131071",
            "1e-16383", "0e9",
        ]
        if random.below(3) == 0 { return pick(borders) }
        var text = random.below(2) == 0 ? "-" : ""
        let integer = digits(random.below(4) == 0 ? 25 : 4)
        text += integer.count > 1 && integer.hasPrefix("0") ? "1" + integer : integer
        if random.below(3) > 0 { text += "." + digits(random.below(4) == 0 ? 30 : 6) }
        if random.below(3) == 0 {
            text += pick(["e", "E"]) + pick(["", "+", "-"]) + String(random.below(random.below(5) == 0 ? 320 : 20))
        }
        return text
    }

    private mutating func string(_ limit: Int) -> String {
        let pieces = [
            "a", "B", " ", " ", "\\n", "\\t", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "ü", "語",
            "😀", "'", ",",
            "{", "}", "NULL", "\\u007f", "\\b", "\\f", "\\r", "\\uffff", "\\u0001", "\\u0000", "\u{7F}", "\\u2028",
        ]
        var text = ""
        for _ in 0..<random.below(limit + 1) { text += pick(pieces) }
        return "\"\(text)\""
    }

    private mutating func day() -> String {
        func padded(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let year = pick([1 + random.below(9999), 1970 + random.below(80), 4713, 294276, 5_874_897, 1, 2000, 1900, 4714])
        return "\(padded(year, 4))-\(padded(1 + random.below(12), 2))-\(padded(1 + random.below(31), 2))"
    }

    private mutating func bc() -> String { random.below(12) == 0 ? " BC" : "" }

    private mutating func time() -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if random.below(20) == 0 { return pick(["infinity", "-infinity"]) }
        let clock = "\(two(random.below(25))):\(two(random.below(60))):\(two(random.below(61)))"
        return day() + pick(["T", "t", " "]) + clock + (random.below(2) == 0 ? ".\(digits(9))" : "")
    }

    private mutating func unixTime() -> String {
        let text = digits(20)
        let number = text.count > 1 && text.hasPrefix("0") ? "1" + text : text
        return (random.below(6) == 0 ? "-" : "") + number + (random.below(3) == 0 ? ".\(digits(8))" : "")
    }

    private mutating func uuid() -> String {
        let hex = String(random.next(), radix: 16) + String(random.next(), radix: 16)
        let padded = String((hex + String(repeating: "0", count: 32)).prefix(32))
        var text = ""
        for (index, digit) in padded.enumerated() {
            if index > 0, index % 4 == 0, random.below(3) == 0 { text += "-" }
            text.append(random.below(9) == 0 ? Character(String(digit).uppercased()) : digit)
        }
        return random.below(5) == 0 ? "{\(text)}" : text
    }

    private mutating func address() -> String {
        if random.below(2) == 0 {
            return (0..<4).map { _ in String(pick([0, 255, random.below(256), 1])) }.joined(separator: ".")
        }
        var groups = (0..<8).map { _ in String(pick([0, random.below(65536)]), radix: 16) }
        if random.below(3) == 0 { groups.replaceSubrange(6..., with: ["10.1.2.3"]) }
        if random.below(2) == 0 {
            let start = random.below(groups.count)
            let end = min(groups.count, start + 1 + random.below(6))
            let head = groups[..<start].joined(separator: ":")
            return head + "::" + groups[end...].joined(separator: ":")
        }
        return groups.joined(separator: ":")
    }

    private mutating func document(_ depth: Int) -> String {
        switch random.below(depth > 0 ? 8 : 5) {
        case 0: return "null"
        case 1: return pick(["true", "false"])
        case 2: return number()
        case 3, 4: return string(5)
        case 5:
            return "[" + (0..<random.below(4)).map { _ in document(depth - 1) + space() }.joined(separator: ",") + "]"
        default:
            let names = ["a", "b", "a", "\\u0061", "", "ü"]
            return "{"
                + (0..<random.below(4)).map { _ in "\"\(pick(names))\":" + space() + document(depth - 1) }
                .joined(separator: ",") + "}"
        }
    }

    private mutating func binary() -> String {
        if random.below(2) == 0 {
            return "\\\\x" + (0..<random.below(9)).map { _ in pick(["00", "ff", "Ab", "5c"]) }.joined()
        }
        return pick(["", "AA==", "AAA=", "AAAA", "aGVsbG8=", "/+8=", "//8=", "AB==", "A===", "aGVsbG8gd29ybGQ="])
    }

    private mutating func array(_ element: (inout EventGenerator) -> String) -> String {
        var elements: [String] = []
        for _ in 0..<random.below(5) { elements.append(random.below(5) == 0 ? "null" : element(&self)) }
        return "[" + elements.joined(separator: ",") + "]"
    }
}
