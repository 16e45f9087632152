/// What a statement may leave behind in a session, as far as its words tell.
struct StatementTraits: OptionSet {
    let rawValue: UInt8

    /// The session's settings may be other ones afterwards.
    static let settings = StatementTraits(rawValue: 1)
    /// Something stays in the backend that can't be carried to another one.
    static let pins = StatementTraits(rawValue: 2)
    /// Asks for transactions that write.
    static let writes = StatementTraits(rawValue: 4)
    /// Prepared statements go with it.
    static let deallocates = StatementTraits(rawValue: 8)
    /// Names a setting or a view of Forebay's own.
    static let own = StatementTraits(rawValue: 16)
    /// Statements may be read in another way afterwards, if only to the end of the transaction.
    static let reading = StatementTraits(rawValue: 32)

    /// Looks at the words of a text of one or more statements, in any encoding that keeps ASCII.
    ///
    /// It errs on the side of caution: a word that happens to stand where it means nothing may cost a pinned session, and no more. What a
    /// function does inside of the server is not seen.
    init(of text: UnsafeRawBufferPointer) {
        var traits: StatementTraits = []
        var lexer = SQLWords(text)
        var first = Word.other
        var second: Word?
        var isFirst = true
        // What stands right before, if that is a word.
        var last: Word?
        while let token = lexer.next() {
            switch token {
            case .end:
                isFirst = true
                second = nil
                last = nil
            case .dot:
                if !isFirst, second == nil { second = .other }
                // A setting of an extension's or of the client's own making, which the list of settings need not show.
                if first == .set || first == .reset, let last, last != .forebay { traits.formUnion(.pins) }
                last = nil
            case .other:
                if !isFirst, second == nil { second = .other }
                last = nil
            case .word(let range):
                let word = Word(UnsafeRawBufferPointer(rebasing: text[range]))
                if isFirst {
                    first = word
                    isFirst = false
                    traits.formUnion(Self.of(first: word))
                    continue
                }
                let isSecond = second == nil
                if isSecond { second = word }
                last = word
                traits.formUnion(Self.of(word, after: first, isSecond: isSecond))
                // The same in quotes; and a name in escapes may be any.
                let isOfSetting = first == .set || first == .reset
                if isOfSetting, text[range].contains(UInt8(ascii: ".")) { traits.formUnion(.pins) }
                if Self.beginsEscapedName(range, of: text) { traits.formUnion(.pins) }
                if isOfSetting, Self.isRead(text[range]) { traits.formUnion(.reading) }
                // These end with the transaction.
                let isPassing = word == .local || word == .transaction || word == .constraints
                if first == .set, isSecond, !isPassing { traits.formUnion(.settings) }
            }
        }
        self = traits
    }

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Whether a word is the U of `U&"…"`.
    private static func beginsEscapedName(_ word: Range<Int>, of text: UnsafeRawBufferPointer) -> Bool {
        word.count == 1 && text[word.lowerBound] | 0x20 == UInt8(ascii: "u") && word.upperBound + 1 < text.count
            && text[word.upperBound] == UInt8(ascii: "&") && text[word.upperBound + 1] == UInt8(ascii: "\"")
    }

    /// Whether a word of a SET or RESET is a setting that counts when a statement is prepared, or stands for one in a form of its own.
    private static func isRead(_ word: Slice<UnsafeRawBufferPointer>) -> Bool {
        let name = String(decoding: word, as: UTF8.self).lowercased()
        return forms.contains(name) || SessionSettings.read.contains(name)
    }

    /// SET TIME ZONE, SET SCHEMA, SET NAMES, SET XML OPTION, RESET ALL.
    private static let forms: Set<String> = ["time", "schema", "names", "xml", "all"]

    private static func of(first word: Word) -> StatementTraits {
        switch word {
        case .reset: .settings
        case .discard: [.settings, .deallocates]
        case .deallocate: .deallocates
        case .prepare, .listen, .load, .do, .call: .pins
        default: []
        }
    }

    private static func of(_ word: Word, after first: Word, isSecond: Bool) -> StatementTraits {
        switch word {
        case .setConfig, .advisoryLock, .dblinkConnect: .pins
        case .hold: first == .declare ? .pins : []
        case .temporary: first == .create || first == .select || first == .with ? .pins : []
        case .role, .authorization: first == .set || first == .reset ? .pins : []
        case .readOnly: first == .set || first == .reset ? .writes : []
        case .write: first == .set || first == .begin || first == .start ? .writes : []
        case .forebay: first == .set || first == .reset || first == .show ? .own : []
        default: []
        }
    }

    /// The words that tell something.
    private enum Word {
        case set, reset, discard, deallocate, prepare, listen, load, `do`, call, declare, create, select, with
        case show, local, transaction, constraints, role, authorization, hold, temporary, setConfig, advisoryLock
        case dblinkConnect, readOnly, write, begin, start, forebay, other

        init(_ text: UnsafeRawBufferPointer) {
            func matches(_ word: StaticString) -> Bool {
                guard word.utf8CodeUnitCount == text.count else { return false }
                for index in 0..<text.count where text[index] | 0x20 != word.utf8Start[index] | 0x20 { return false }
                return true
            }
            switch text.count {
            case 2: self = matches("do") ? .do : .other
            case 3: self = matches("set") ? .set : .other
            case 4:
                self =
                    matches("with")
                    ? .with
                    : matches("show")
                        ? .show
                        : matches("load")
                            ? .load
                            : matches("call")
                                ? .call
                                : matches("role")
                                    ? .role : matches("hold") ? .hold : matches("temp") ? .temporary : .other
            case 5:
                self =
                    matches("reset")
                    ? .reset
                    : matches("local")
                        ? .local
                        : matches("write") ? .write : matches("begin") ? .begin : matches("start") ? .start : .other
            case 6:
                self = matches("select") ? .select : matches("listen") ? .listen : matches("create") ? .create : .other
            case 7:
                self =
                    matches("discard")
                    ? .discard
                    : matches("prepare")
                        ? .prepare : matches("declare") ? .declare : matches("forebay") ? .forebay : .other
            case 9: self = matches("temporary") ? .temporary : .other
            case 10: self = matches("deallocate") ? .deallocate : matches("set_config") ? .setConfig : .other
            case 11: self = matches("transaction") ? .transaction : matches("constraints") ? .constraints : .other
            case 13: self = matches("authorization") ? .authorization : .other
            case 14: self = matches("dblink_connect") ? .dblinkConnect : .other
            case 16: self = matches("pg_advisory_lock") ? .advisoryLock : .other
            case 20: self = matches("pg_try_advisory_lock") ? .advisoryLock : .other
            case 21: self = matches("transaction_read_only") ? .readOnly : .other
            case 23: self = matches("pg_advisory_lock_shared") ? .advisoryLock : .other
            case 27: self = matches("pg_try_advisory_lock_shared") ? .advisoryLock : .other
            case 29: self = matches("default_transaction_read_only") ? .readOnly : .other
            default: self = .other
            }
        }
    }
}
