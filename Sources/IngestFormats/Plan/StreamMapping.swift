/// How a stream's events differ from its columns: what its configuration says besides the table.
package struct StreamMapping: Hashable, Sendable {
    /// The jsonb column that collects fields which are no column; nil refuses them.
    package var extra: String?
    /// Incoming field name to column name. The column's own name is accepted as well.
    package var rename: [String: String]
    /// Column name to the JSON text of the value that every row has there. An event may not give such a column.
    package var constants: [String: String]

    package init(extra: String? = nil, rename: [String: String] = [:], constants: [String: String] = [:]) {
        self.extra = extra
        self.rename = rename
        self.constants = constants
    }
}
