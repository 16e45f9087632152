import Records

/// Strings: as text to compare or parse, and as text to store.
extension RowDecoder {
    /// A string's content, in the body if it has no escapes, else in the scratch buffer.
    struct StringSpan {
        var start: Bytes
        var end: Bytes
        /// Behind the closing quote, in the body.
        var next: Bytes
    }

    /// The content of the string whose opening quote is at `p`; valid until the next call.
    @inline(__always)
    mutating func string(_ p: Bytes) throws(Refusal) -> StringSpan {
        let first = p + 1
        var s = first
        while hardEnd - s >= 8 {
            let index = WordScan.firstSpecial(WordScan.load(s))
            s += index
            if index == 8 { continue }
            if s[0] == UInt8(ascii: "\"") { return StringSpan(start: first, end: s, next: s + 1) }
            break
        }
        return try intricateString(first)
    }

    /// A string with escapes or characters beyond ASCII, or close to the body's end.
    @inline(never)
    private mutating func intricateString(_ first: Bytes) throws(Refusal) -> StringSpan {
        scratch.count = 0
        var s = first
        while s < end {
            let byte = s[0]
            switch byte {
            case UInt8(ascii: "\""):
                if s - first == scratch.count {
                    return StringSpan(start: first, end: s, next: s + 1)
                }
                return StringSpan(start: Bytes(scratch.base), end: Bytes(scratch.base) + scratch.count, next: s + 1)
            case UInt8(ascii: "\\"):
                var o = scratch.reserve(4)
                s = try escape(s, &o)
                scratch.count = o - scratch.base
            case ..<0x20:
                throw Refusal(.controlCharacter, at: s)
            case 0x80...:
                let size = UTF8Scan.sequence(s, end)
                if size == 0 { throw Refusal(.invalidUTF8, at: s) }
                scratch.append(s, size)
                s += size
            default:
                scratch.append(byte)
                s += 1
            }
        }
        throw Refusal(.stringEnd, at: s)
    }

    /// Decodes the escape at `s`, writing at most four bytes to `o`; returns the address behind it.
    private mutating func escape(_ s: Bytes, _ o: inout UnsafeMutablePointer<UInt8>) throws(Refusal) -> Bytes {
        guard end - s >= 2 else { throw Refusal(.stringEnd, at: end) }
        switch s[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): o[0] = s[1]
        case UInt8(ascii: "b"): o[0] = 0x08
        case UInt8(ascii: "f"): o[0] = 0x0C
        case UInt8(ascii: "n"): o[0] = 0x0A
        case UInt8(ascii: "r"): o[0] = 0x0D
        case UInt8(ascii: "t"): o[0] = 0x09
        case UInt8(ascii: "u"):
            let (scalar, next) = try unicodeEscape(s)
            if scalar == 0 { throw Refusal(.nul, at: s) }
            o = UTF8Scan.write(scalar, at: o)
            return next
        default: throw Refusal(.escape, at: s)
        }
        o += 1
        return s + 2
    }

    /// The scalar value of the `\u` escape at `s`, or of the surrogate pair of two, and the address behind.
    mutating func unicodeEscape(_ s: Bytes) throws(Refusal) -> (scalar: UInt32, next: Bytes) {
        guard end - s >= 6 else { throw Refusal(.escape, at: s) }
        guard let first = hexWord(s + 2) else { throw Refusal(.escape, at: s) }
        if first & 0xF800 != 0xD800 { return (first, s + 6) }
        guard first < 0xDC00, end - s >= 12, s[6] == UInt8(ascii: "\\"), s[7] == UInt8(ascii: "u"),
            let second = hexWord(s + 8), second & 0xFC00 == 0xDC00
        else { throw Refusal(.loneSurrogate, at: s) }
        return (0x1_0000 + (first & 0x3FF) << 10 + second & 0x3FF, s + 12)
    }

    /// Stores the string whose opening quote is at `p` as a text field.
    @inline(__always)
    mutating func textField(_ p: Bytes) throws(Refusal) -> Bytes {
        let field = out
        var o = (field + 4).assumingMemoryBound(to: UInt8.self)
        let next = try copyText(p + 1, &o)
        out = UnsafeMutableRawPointer(o)
        _ = FieldWriter.length(out - field - 4, at: field)
        return next
    }

    /// Copies a string's content, decoded, to `o`, where there is room for all that the event can add and 8 bytes more.
    @inline(__always)
    private mutating func copyText(_ first: Bytes, _ o: inout UnsafeMutablePointer<UInt8>) throws(Refusal) -> Bytes {
        var s = first
        while hardEnd - s >= 8 {
            let word = WordScan.load(s)
            UnsafeMutableRawPointer(o).storeBytes(of: word.littleEndian, as: UInt64.self)
            let index = WordScan.firstSpecial(word)
            s += index
            o += index
            if index == 8 { continue }
            if s[0] == UInt8(ascii: "\"") { return s + 1 }
            s = try copyIntricate(s, &o)
        }
        return try copyTail(s, &o)
    }

    /// Copies the escape, or the run of characters beyond ASCII, at `s`.
    @inline(never)
    private mutating func copyIntricate(_ first: Bytes, _ o: inout UnsafeMutablePointer<UInt8>) throws(Refusal) -> Bytes
    {
        if first[0] == UInt8(ascii: "\\") { return try escape(first, &o) }
        if first[0] < 0x20 {
            throw Refusal(first < end ? .controlCharacter : .stringEnd, at: first)
        }
        var s = first
        while s < end, s[0] >= 0x80 {
            let size = UTF8Scan.sequence(s, end)
            if size == 0 { throw Refusal(.invalidUTF8, at: s) }
            for index in 0..<size {
                o[index] = s[index]
            }
            s += size
            o += size
        }
        return s
    }

    /// The last bytes of the body, one by one.
    @inline(never)
    private mutating func copyTail(_ first: Bytes, _ o: inout UnsafeMutablePointer<UInt8>) throws(Refusal) -> Bytes {
        var s = first
        while s < end {
            if s[0] == UInt8(ascii: "\"") { return s + 1 }
            if s[0] == UInt8(ascii: "\\") || s[0] < 0x20 || s[0] >= 0x80 {
                s = try copyIntricate(s, &o)
            } else {
                o[0] = s[0]
                s += 1
                o += 1
            }
        }
        throw Refusal(.stringEnd, at: s)
    }
}
