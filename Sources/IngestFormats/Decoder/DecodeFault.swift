/// What is wrong with one event, exactly.
package struct DecodeFault: Error, Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// Not JSON (RFC 8259), or not an object where one has to stand.
        case malformed
        /// More levels of nesting than allowed.
        case tooDeep
        /// A string that is not UTF-8.
        case invalidUTF8
        /// Half of a surrogate pair, which no encoding can hold.
        case loneSurrogate
        /// The character U+0000, which PostgreSQL's text can't hold.
        case nul
        /// A value of another JSON type than the column takes.
        case wrongType
        /// A string or number that does not have the form of the column's type.
        case badValue
        /// A number or a time beyond what the column's type holds.
        case outOfRange
        /// More characters than the column's `varchar(n)` holds.
        case tooLong
        /// NULL, or nothing, for a column that is not null.
        case null
        /// No column of this name, and none that collects such fields.
        case unknownField
        /// A second value for a field or a column.
        case duplicateField
        /// A value for a column that the configuration sets.
        case constant
        /// The event is larger than the limit.
        case eventTooLarge
        /// The body holds more events than the limit.
        case tooManyEvents
        /// The plan makes no further layouts; the event has to give every column with a default.
        case tooManyLayouts
    }

    /// The event's place in the body, counted from 0; blank lines do not count.
    package var event: Int
    package var reason: Reason
    /// The field's name in the event, where the fault is one field's.
    package var field: String?
    /// The column that the field stands for.
    package var column: String?
    /// Where in the body, in bytes from 0.
    package var offset: Int
    /// The text found there, escaped, at most 40 bytes.
    package var found: String
    package var expected: String

    package init(
        event: Int,
        reason: Reason,
        field: String? = nil,
        column: String? = nil,
        offset: Int,
        found: String,
        expected: String
    ) {
        self.event = event
        self.reason = reason
        self.field = field
        self.column = column
        self.offset = offset
        self.found = found
        self.expected = expected
    }
}

extension DecodeFault: CustomStringConvertible {
    package var description: String {
        var place = "event \(event)"
        if let column {
            place += ", column \"\(column)\""
            if let field, field != column {
                place += " (field \"\(field)\")"
            }
        } else if let field {
            place += ", field \"\(field)\""
        }
        return "\(place), byte \(offset): found \(found), expected \(expected)"
    }
}
