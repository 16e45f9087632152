import CLibPQ

/// The rows that a statement returned, in text format.
package struct QueryResult: Hashable, Sendable {
    /// The names of the result's columns.
    package var columns: [String]
    package var rows: [Row]
    /// The server's command tag, such as `SELECT 1`.
    package var tag: String

    package struct Row: Hashable, Sendable {
        package var values: [String?]

        /// The value of column `index`; nil for NULL.
        package func text(_ index: Int) -> String? { values[index] }
        /// The value of column `index` as a number; nil for NULL and for what is no whole number.
        package func integer(_ index: Int) -> Int64? { values[index].flatMap { Int64($0) } }
        package func double(_ index: Int) -> Double? { values[index].flatMap { Double($0) } }
        /// The value of column `index`; nil for NULL.
        package func bool(_ index: Int) -> Bool? { values[index].map { $0 == "t" } }
    }

    /// Copies a libpq result, which stays the caller's.
    init(_ result: OpaquePointer) {
        let width = PQnfields(result)
        columns = (0..<width).map { String(cString: PQfname(result, $0)) }
        rows = (0..<PQntuples(result)).map { row in
            Row(
                values: (0..<width).map { column in
                    PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
                }
            )
        }
        tag = String(cString: PQcmdStatus(result))
    }
}
