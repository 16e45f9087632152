import Records

/// Walking over JSON that is kept as it is, or not at all. No recursion: open brackets stand in a bounded stack.
extension RowDecoder {
    /// How strictly the texts within are taken.
    enum Strictness {
        /// Only as much as finding the end takes: of an event that is refused already.
        case structure
        /// What PostgreSQL's `json` holds.
        case json
        /// What `jsonb` holds: no U+0000, and no number that `numeric` can't hold.
        case jsonb
    }

    /// Checks the value at `first` and returns the address behind it.
    ///
    /// - Parameter depth: how many levels are open around it.
    mutating func skipValue(_ first: Bytes, depth: Int, _ strictness: Strictness) throws(Refusal) -> Bytes {
        var p = first
        var level = 0
        while true {
            guard p < end else { throw Refusal(.value, at: p) }
            switch p[0] {
            case UInt8(ascii: "\""):
                p = try skipString(p, strictness)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard depth + level < limits.depth else { throw Refusal(.tooDeep, at: p) }
                brackets[level] = p[0]
                let isObject = p[0] == UInt8(ascii: "{")
                p = skipSpace(p + 1)
                if p < end, p[0] == UInt8(ascii: isObject ? "}" : "]") {
                    p += 1
                } else {
                    level += 1
                    if isObject { p = try skipKey(p, strictness) }
                    continue
                }
            case UInt8(ascii: "t"):
                p = try literal(p, "true")
            case UInt8(ascii: "f"):
                p = try literal(p, "false")
            case UInt8(ascii: "n"):
                p = try literal(p, "null")
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                p = try skipNumber(p, strictness)
            default:
                throw Refusal(.value, at: p)
            }
            // A value has ended: close what ends with it, up to the next value.
            while true {
                if level == 0 { return p }
                p = skipSpace(p)
                let isObject = brackets[level - 1] == UInt8(ascii: "{")
                guard p < end else { throw Refusal(isObject ? .commaOrBrace : .commaOrBracket, at: p) }
                if p[0] == UInt8(ascii: ",") {
                    p = skipSpace(p + 1)
                    if isObject { p = try skipKey(p, strictness) }
                    break
                }
                guard p[0] == UInt8(ascii: isObject ? "}" : "]") else {
                    throw Refusal(isObject ? .commaOrBrace : .commaOrBracket, at: p)
                }
                p += 1
                level -= 1
            }
        }
    }

    /// A member's key and colon; returns where its value begins.
    @inline(__always)
    private mutating func skipKey(_ first: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        guard first < end, first[0] == UInt8(ascii: "\"") else { throw Refusal(.key, at: first) }
        let p = skipSpace(try skipString(first, strictness))
        guard p < end, p[0] == UInt8(ascii: ":") else { throw Refusal(.colon, at: p) }
        return skipSpace(p + 1)
    }

    /// The string whose opening quote is at `p`.
    @inline(__always)
    private mutating func skipString(_ p: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        var s = p + 1
        while hardEnd - s >= 8 {
            let index = WordScan.firstSpecial(WordScan.load(s))
            s += index
            if index == 8 { continue }
            if s[0] == UInt8(ascii: "\"") { return s + 1 }
            s = try skipIntricate(s, strictness)
        }
        return try skipTail(s, strictness)
    }

    @inline(never)
    private mutating func skipTail(_ first: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        var s = first
        while s < end {
            if s[0] == UInt8(ascii: "\"") { return s + 1 }
            if s[0] == UInt8(ascii: "\\") || s[0] < 0x20 || s[0] >= 0x80 {
                s = try skipIntricate(s, strictness)
            } else {
                s += 1
            }
        }
        throw Refusal(.stringEnd, at: s)
    }

    /// The escape, or the character beyond ASCII, at `s`.
    @inline(never)
    private mutating func skipIntricate(_ s: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        guard s < end else { throw Refusal(.stringEnd, at: s) }
        if s[0] < 0x20 { throw Refusal(.controlCharacter, at: s) }
        if s[0] >= 0x80 {
            let size = UTF8Scan.sequence(s, end)
            if size > 0 { return s + size }
            if strictness == .structure { return s + 1 }
            throw Refusal(.invalidUTF8, at: s)
        }
        guard end - s >= 2 else { throw Refusal(.stringEnd, at: end) }
        switch s[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return s + 2
        case UInt8(ascii: "u"):
            if strictness == .structure {
                guard end - s >= 6, hexWord(s + 2) != nil else { throw Refusal(.escape, at: s) }
                return s + 6
            }
            let (scalar, next) = try unicodeEscape(s)
            if scalar == 0, strictness == .jsonb { throw Refusal(.nul, at: s) }
            return next
        default:
            throw Refusal(.escape, at: s)
        }
    }

    @inline(__always)
    private mutating func skipNumber(_ p: Bytes, _ strictness: Strictness) throws(Refusal) -> Bytes {
        guard let token = NumberScan.json(p, end) else { throw badNumber(p) }
        if strictness == .jsonb, token.end - p > 1000 || token.digits.exponent != 0 {
            do throws(NumericField.Overflow) {
                _ = try NumericField.plan(token.digits, limits: nil)
            } catch {
                throw Refusal(.range, at: p)
            }
        }
        return token.end
    }

    /// A number that breaks off at the end of the text is cut short, any other is no number.
    @inline(never)
    mutating func badNumber(_ p: Bytes) -> Refusal {
        var s = p
        while s < end,
            hexDigit(s[0]) <= 15 || s[0] == UInt8(ascii: "-") || s[0] == UInt8(ascii: "+")
                || s[0] == UInt8(ascii: ".")
        {
            s += 1
        }
        return s == end ? Refusal(.number, at: end) : Refusal(.number, at: p)
    }

    /// One of the words `true`, `false` and `null`, whose first letter was seen.
    @inline(__always)
    mutating func literal(_ p: Bytes, _ word: StaticString) throws(Refusal) -> Bytes {
        let count = word.utf8CodeUnitCount
        guard end - p >= count, same(p, word.utf8Start, count) else { throw badLiteral(p, word) }
        return p + count
    }

    @inline(never)
    private mutating func badLiteral(_ p: Bytes, _ word: StaticString) -> Refusal {
        var index = 0
        while p + index < end, p[index] == word.utf8Start[index] { index += 1 }
        return p + index == end ? Refusal(.literal, at: end) : Refusal(.literal, at: p)
    }
}
