package import Records

extension ForebayConfiguration {
    /// One entry of `streams:`, a table that agents may write to.
    package struct Stream: Hashable, Sendable {
        /// A field that every row of the stream gets, whatever the event says.
        package struct Constant: Hashable, Sendable {
            package var column: String
            /// As an agent would write it in a JSON string.
            package var value: String

            package init(column: String, value: String) {
                self.column = column
                self.value = value
            }
        }

        package struct Rename: Hashable, Sendable {
            /// The name that events use.
            package var field: String
            package var column: String

            package init(field: String, column: String) {
                self.field = field
                self.column = column
            }
        }

        /// As in `POST /v1/ingest/{stream}`: letters, digits, `_`, `-` and `.`.
        package var name: String
        package var table: TableName
        /// The jsonb column that takes the fields no column has; nil refuses such events.
        package var extra: String?
        package var rename: [Rename] = []
        package var constants: [Constant] = []

        package init(name: String, table: TableName) {
            self.name = name
            self.table = table
        }
    }

    package func stream(_ name: some StringProtocol) -> Stream? {
        streams.first { $0.name == name }
    }
}
