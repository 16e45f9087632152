package import Records

/// Why a mapping does not fit its stream. A fault of the configuration, found before the first event.
package enum PlanFault: Error, Hashable, Sendable {
    case noColumns
    case extraIsNoColumn(String)
    case extraIsNotJSONB(column: String, type: ColumnType)
    case extraIsConstant(column: String)
    case renameToNoColumn(field: String, column: String)
    case renameToConstant(field: String, column: String)
    case constantForNoColumn(String)
    /// `fault` is told in terms of the constant's own text: its offset counts from there.
    case constantNotValid(column: String, text: String, fault: DecodeFault)
}

extension PlanFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noColumns:
            "the table has no column to insert into"
        case .extraIsNoColumn(let column):
            "extra names \"\(column)\", which is no column; name a jsonb column"
        case .extraIsNotJSONB(let column, let type):
            "extra names \"\(column)\", a column of type \(type.rawValue); name a jsonb column"
        case .extraIsConstant(let column):
            "\"\(column)\" is both the extra column and a constant; choose one"
        case .renameToNoColumn(let field, let column):
            "rename of \"\(field)\" names \"\(column)\", which is no column"
        case .renameToConstant(let field, let column):
            "rename of \"\(field)\" names \"\(column)\", which is a constant; choose one"
        case .constantForNoColumn(let column):
            "constants name \"\(column)\", which is no column"
        case .constantNotValid(let column, let text, let fault):
            "constant \(text) for \"\(column)\": at byte \(fault.offset) found \(fault.found), "
                + "expected \(fault.expected)"
        }
    }
}
