/// Why bytes are not the tuples that they should be. Offsets count from the first byte given.
package enum TupleFault: Error, Hashable, Sendable {
    /// The bytes end within a tuple.
    case truncated(offset: Int)
    /// A tuple with a negative field count; -1 is the trailer of a COPY stream, which a queue never holds.
    case badFieldCount(Int, offset: Int)
    /// A field with a negative length other than that of NULL.
    case badLength(Int, offset: Int)
    /// The bytes hold another number of rows than said.
    case badRowCount(found: Int, expected: Int)
    /// A tuple has another number of fields than its layout.
    case layoutMismatch(fields: Int, columns: Int, offset: Int)
    /// A field's bytes are no value of its column's type.
    case badField(column: String, type: ColumnType, reason: String)
}

extension TupleFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let offset): "the bytes end within the tuple at \(offset)"
        case .badFieldCount(let count, let offset): "the tuple at \(offset) says that it has \(count) fields"
        case .badLength(let length, let offset): "the field at \(offset) says that it has \(length) bytes"
        case .badRowCount(let found, let expected): "found \(found) rows, expected \(expected)"
        case .layoutMismatch(let fields, let columns, let offset):
            "the tuple at \(offset) has \(fields) fields, its layout \(columns) columns"
        case .badField(let column, let type, let reason):
            "column \"\(column)\" holds no \(type.rawValue): \(reason)"
        }
    }
}
