/// Steps over SQL word by word: knows comments, quotes and dollar quotes (PostgreSQL manual, "Lexical Structure") so that words within them don't count.
///
/// A word in double quotes counts as a word: `"set_config"` is the function.
struct SQLWords {
    enum Token {
        case word(Range<Int>)
        /// A semicolon.
        case end
        case dot
        /// Anything else, a run of spaces and comments aside.
        case other
    }

    private let text: UnsafeRawBufferPointer
    private var offset = 0

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
    }

    mutating func next() -> Token? {
        while offset < text.count {
            let byte = text[offset]
            switch byte {
            case 0x09...0x0D, 0x20: offset += 1
            case UInt8(ascii: "-") where peek(1) == UInt8(ascii: "-"): skipLine()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): skipComment()
            case UInt8(ascii: ";"):
                offset += 1
                return .end
            case UInt8(ascii: "."):
                offset += 1
                return .dot
            case UInt8(ascii: "'"):
                skipQuoted(UInt8(ascii: "'"), escapes: false)
                return .other
            case UInt8(ascii: "\""):
                let start = offset + 1
                skipQuoted(byte, escapes: false)
                return .word(start..<max(start, offset - 1))
            case UInt8(ascii: "$"):
                if !skipDollarQuoted() { offset += 1 }
                return .other
            case _ where Self.isWord(byte):
                let start = offset
                while offset < text.count, Self.isWord(text[offset]) || Self.isInner(text[offset]) { offset += 1 }
                if offset - start == 1, byte | 0x20 == UInt8(ascii: "e"), peek(0) == UInt8(ascii: "'") {
                    skipQuoted(UInt8(ascii: "'"), escapes: true)
                    return .other
                }
                return .word(start..<offset)
            default:
                offset += 1
                return .other
            }
        }
        return nil
    }

    private func peek(_ ahead: Int) -> UInt8? { offset + ahead < text.count ? text[offset + ahead] : nil }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), 0x80...:
            true
        default: false
        }
    }

    private static func isInner(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "$")
    }

    private mutating func skipLine() {
        while offset < text.count, text[offset] != 0x0A, text[offset] != 0x0D { offset += 1 }
    }

    /// Comments may stand in comments.
    private mutating func skipComment() {
        var depth = 0
        while offset < text.count {
            if text[offset] == UInt8(ascii: "/"), peek(1) == UInt8(ascii: "*") {
                depth += 1
                offset += 2
            } else if text[offset] == UInt8(ascii: "*"), peek(1) == UInt8(ascii: "/") {
                depth -= 1
                offset += 2
                if depth == 0 { return }
            } else {
                offset += 1
            }
        }
    }

    /// A doubled quote stands for one, and so reads as the end of one text and the beginning of another.
    private mutating func skipQuoted(_ quote: UInt8, escapes: Bool) {
        offset += 1
        while offset < text.count {
            if escapes, text[offset] == UInt8(ascii: "\\") {
                offset += 2
                continue
            }
            offset += 1
            if text[offset - 1] == quote { return }
        }
        offset = text.count
    }

    private mutating func skipDollarQuoted() -> Bool {
        var end = offset + 1
        while end < text.count, Self.isWord(text[end]) || (end > offset + 1 && Self.isInner(text[end])),
            text[end] != UInt8(ascii: "$")
        {
            end += 1
        }
        guard end < text.count, text[end] == UInt8(ascii: "$") else { return false }
        let tag = text[offset...end]
        var place = end + 1
        while place + tag.count <= text.count {
            if text[place] == UInt8(ascii: "$"), text[place..<place + tag.count].elementsEqual(tag) {
                offset = place + tag.count
                return true
            }
            place += 1
        }
        offset = text.count
        return true
    }
}
