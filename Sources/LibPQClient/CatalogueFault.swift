package import Records

/// Why a table can't be a stream's destination.
package enum CatalogueFault: Error, Hashable, Sendable {
    case missingTable(TableName)
    /// There is something of this name that takes no rows: a view, an index, a sequence.
    case notATable(TableName)
    case noColumns(TableName)
    case missingPrivilege(TableName, role: String, privilege: String)
    /// Every column of a type that streams don't have.
    case unsupportedColumns(TableName, [RefusedColumn])
    /// The catalogue could not be read.
    case connection(ConnectionFault)

    package struct RefusedColumn: Hashable, Sendable {
        package var name: String
        /// The type that was found, as PostgreSQL writes it.
        package var type: String

        package init(name: String, type: String) {
            self.name = name
            self.type = type
        }
    }
}

extension CatalogueFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missingTable(let table):
            "table \(table) does not exist; create it, or name another table for the stream"
        case .notATable(let table):
            "\(table) is not a table; name a table for the stream"
        case .noColumns(let table):
            "table \(table) has no column that rows can be inserted into"
        case .missingPrivilege(let table, let role, let privilege):
            "role \(role) lacks \(privilege) for table \(table); run `forebay init`, or grant it"
        case .unsupportedColumns(let table, let columns):
            "table \(table) has columns of types that a stream can't have: "
                + columns.map { "\($0.name) is \($0.type)" }.joined(separator: ", ")
                + "; a stream's columns are \(ColumnType.allCases.map(\.rawValue).joined(separator: ", "))"
        case .connection(let fault): "the catalogue can't be read: \(fault)"
        }
    }
}
