/// Reads the one kind of JSON object that control lines have: members that are strings, integers, true or false.
struct FlatJSONReader {
    enum Value: Hashable {
        case text(String)
        case integer(Int)
        case bool(Bool)
    }

    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Only white space is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return at == bytes.count
        }
    }

    /// Takes `token` if it stands next, behind any white space.
    mutating func take(_ token: StaticString) -> Bool {
        skipSpace()
        let count = token.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        for index in 0..<count where bytes[at + index] != token.utf8Start[index] { return false }
        at += count
        return true
    }

    mutating func object() throws(ControlFault) -> [String: Value] {
        var members: [String: Value] = [:]
        guard take("{") else { throw ControlFault("an object is expected as the value of forebay") }
        if take("}") { return members }
        repeat {
            let name = try string()
            guard take(":") else { throw ControlFault("a colon is expected after \"\(name.prefix(60))\"") }
            let value = try value(of: name)
            guard members.updateValue(value, forKey: name) == nil else {
                throw ControlFault("\"\(name.prefix(60))\" is given twice")
            }
        } while take(",")
        guard take("}") else { throw ControlFault("the object of forebay does not end, or is no JSON") }
        return members
    }

    private mutating func value(of name: String) throws(ControlFault) -> Value {
        if take("true") { return .bool(true) }
        if take("false") { return .bool(false) }
        skipSpace()
        guard at < bytes.count else { throw ControlFault("\"\(name.prefix(60))\" has no value") }
        if bytes[at] == UInt8(ascii: "\"") { return .text(try string()) }
        var number = 0
        let start = at
        while at < bytes.count, HTTPCharacters.isDigit(bytes[at]), at - start < 10 {
            number = number * 10 + Int(bytes[at] - UInt8(ascii: "0"))
            at += 1
        }
        guard at > start, bytes[start] != UInt8(ascii: "0") || at == start + 1 else {
            throw ControlFault("the value of \"\(name.prefix(60))\" is no string, true, false or whole number")
        }
        return .integer(number)
    }

    private mutating func string() throws(ControlFault) -> String {
        guard take("\"") else { throw ControlFault("a string is expected") }
        var text: [UInt8] = []
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw ControlFault("a string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case ..<0x20:
                throw ControlFault("a string holds a control character")
            default:
                text.append(byte)
            }
        }
        throw ControlFault("a string does not end")
    }

    /// What stands behind a backslash (RFC 8259, section 7). Characters beyond the basic plane are taken as UTF-8 only.
    private mutating func escape(into text: inout [UInt8]) throws(ControlFault) {
        guard at < bytes.count else { throw ControlFault("a string does not end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code: UInt32 = 0
            for _ in 0..<4 {
                guard at < bytes.count, let digit = HTTPCharacters.hexValue(bytes[at]) else {
                    throw ControlFault("\\u is followed by four hexadecimal digits")
                }
                code = code << 4 | UInt32(digit)
                at += 1
            }
            guard let scalar = Unicode.Scalar(code) else { throw ControlFault("\\u names half a character") }
            text.append(contentsOf: Character(scalar).utf8)
        default:
            throw ControlFault("a string holds an unknown escape")
        }
    }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0D || bytes[at] == 0x0A {
            at += 1
        }
    }
}
