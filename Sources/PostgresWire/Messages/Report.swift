/// An error or a notice: fields by their one-letter codes (PostgreSQL manual, "Error and Notice Message Fields").
package struct Report: Hashable, Sendable, Error {
    package struct Field: Hashable, Sendable {
        package var code: UInt8
        package var text: String

        package init(_ code: UInt8, _ text: String) {
            self.code = code
            self.text = text
        }
    }

    package enum Severity: String, Hashable, Sendable {
        case error = "ERROR"
        /// The connection ends with it.
        case fatal = "FATAL"
        case warning = "WARNING"
    }

    package var fields: [Field]

    package init(fields: [Field]) {
        self.fields = fields
    }

    /// A report of our own.
    package init(
        _ severity: Severity,
        _ code: String,
        _ message: String,
        detail: String? = nil,
        hint: String? = nil
    ) {
        fields = [
            Field(UInt8(ascii: "S"), severity.rawValue), Field(UInt8(ascii: "V"), severity.rawValue),
            Field(UInt8(ascii: "C"), code), Field(UInt8(ascii: "M"), message),
        ]
        if let detail { fields.append(Field(UInt8(ascii: "D"), detail)) }
        if let hint { fields.append(Field(UInt8(ascii: "H"), hint)) }
    }

    private func first(_ letter: Unicode.Scalar) -> String? {
        fields.first { $0.code == UInt8(ascii: letter) }?.text
    }

    /// In English whatever the server's language is.
    package var severity: String { first("V") ?? first("S") ?? "" }
    /// The SQLSTATE.
    package var code: String { first("C") ?? "" }
    package var message: String { first("M") ?? "" }
    package var hint: String? { first("H") }
    /// Where the server found it: a function of its source, the same in every language.
    package var routine: String? { first("R") }
    package var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }
}

extension Report: CustomStringConvertible {
    package var description: String { "\(message) (\(code))" }
}
