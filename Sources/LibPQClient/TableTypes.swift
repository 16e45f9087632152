import Delivery
import Records

/// The types of a table's columns at one look at the catalogue, to hold a layout against.
///
/// COPY hands the bytes of a binary field to whatever type the column has by then. See "Flush outcomes", "A column whose type was changed".
struct TableTypes {
    private struct Found {
        /// Of the column itself: of the domain, if it is one.
        var identifier: Int64
        /// What a domain is made of in the end; nil if no stream can have a column of it.
        var type: ColumnType?
        /// As `format_type` writes it, for messages.
        var text: String
    }

    private let layout: RowLayout
    private var columns: [String: Found] = [:]

    /// Looks, and waits for no lock. An error of the server's is what COPY would say too: no such table, no such right.
    init(for layout: RowLayout, on connection: PostgresConnection, by deadline: Deadline) throws(ConnectionFault) {
        self.layout = layout
        for row in try connection.query(Self.query, [layout.table.quoted], by: deadline).rows {
            guard let name = row.text(0), let identifier = row.integer(1) else { continue }
            columns[name] = Found(
                identifier: identifier,
                type: row.text(2).flatMap { ColumnType(catalogueName: $0) },
                text: row.text(3) ?? "unknown"
            )
        }
    }

    /// What is to be said of rows of the layout, if a column of it has another type than theirs. Columns that are missing are for COPY to name.
    var misfit: ServerError? {
        for field in layout.columns {
            guard let found = columns[field.name], !(found.type?.reads(field.type) ?? false) else { continue }
            return ServerError(
                sqlState: "42804",
                message: "column \(quoteIdentifier(field.name)) of \(layout.table) is of type \(found.text) now; "
                    + "these rows were encoded when it was \(field.type.rawValue)",
                hint: "Give the column its old type, then retry the rows; or discard them.",
                column: field.name
            )
        }
        return nil
    }

    /// The statement that fails from now on if a column that rows of the layout carry is not of the type that was found here.
    ///
    /// Compares the types themselves, without a look through domains: that is 30 µs once it is planned, 50 with it.
    var guardStatement: String {
        let pairs = layout.columns.map { field in
            "(\(quoteLiteral(field.name)), \(columns[field.name]?.identifier ?? 0))"
        }
        return """
            PREPARE \(Self.guardName(layout.fingerprint)) AS \
            SELECT 1 / (pg_catalog.count(*) = \(pairs.count))::int4 FROM pg_catalog.pg_attribute \
            WHERE attrelid = \(quoteLiteral(layout.table.quoted))::pg_catalog.regclass AND NOT attisdropped \
            AND (attname, atttypid) IN (\(pairs.joined(separator: ", ")))
            """
    }

    static func guardName(_ fingerprint: Fingerprint) -> String { "forebay_types_\(fingerprint)" }

    private static let query = """
        WITH RECURSIVE chain (name, column_type, modifier, type_id) AS (
            SELECT a.attname, a.atttypid, a.atttypmod, a.atttypid
            FROM pg_catalog.pg_attribute a
            WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT chain.name, chain.column_type, chain.modifier, t.typbasetype
            FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.type_id
            WHERE t.typtype = 'd'
        )
        SELECT chain.name,
               chain.column_type,
               CASE WHEN t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace THEN t.typname END,
               pg_catalog.format_type(chain.column_type, chain.modifier)
        FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.type_id
        WHERE t.typtype <> 'd'
        """
}

extension ColumnType {
    /// By the catalogue's name of the type; nil if a stream can't have a column of it.
    init?(catalogueName: String) {
        guard let type = Self.catalogueNames[catalogueName] else { return nil }
        self = type
    }

    private static let catalogueNames: [String: ColumnType] = [
        "bool": .bool, "int2": .int2, "int4": .int4, "int8": .int8, "float4": .float4, "float8": .float8,
        "numeric": .numeric, "text": .text, "varchar": .varchar, "timestamptz": .timestamptz,
        "timestamp": .timestamp, "date": .date, "uuid": .uuid, "inet": .inet, "cidr": .cidr, "json": .json,
        "jsonb": .jsonb, "bytea": .bytea, "_text": .textArray, "_int8": .int8Array, "_float8": .float8Array,
    ]

    /// Whether a column of this type reads the binary form of `sent` as the value that was meant, or refuses it for the value.
    func reads(_ sent: ColumnType) -> Bool {
        switch (sent, self) {
        case (.text, .varchar), (.text, .json), (.varchar, .text), (.varchar, .json), (.json, .text),
            (.json, .varchar), (.inet, .cidr), (.cidr, .inet):
            true
        default: sent == self
        }
    }
}
