import Delivery
package import Records

/// Reads what a stream's table looks like from PostgreSQL's catalogue, with the eyes and the rights of the writer.
package struct Catalogue {
    private let connection: PostgresConnection

    /// - Parameter connection: the writer's, to any node: a replica's catalogue is the primary's.
    package init(_ connection: PostgresConnection) {
        self.connection = connection
    }

    /// The schema of the stream that writes to `table`. Generated columns are left out: nobody can insert into them.
    package func schema(
        of table: TableName,
        stream: String,
        by deadline: Deadline
    ) throws(CatalogueFault) -> StreamSchema {
        try checkTable(table, by: deadline)
        var columns: [Column] = []
        var refused: [CatalogueFault.RefusedColumn] = []
        for row in try query(Self.columnQuery, [table.schema, table.name], by: deadline).rows {
            let description = ColumnDescription(row)
            if let column = description.column {
                columns.append(column)
            } else {
                refused.append(.init(name: description.name, type: description.typeText))
            }
        }
        guard refused.isEmpty else { throw .unsupportedColumns(table, refused) }
        guard !columns.isEmpty else { throw .noColumns(table) }
        let grouping = try query(Self.groupingQuery, [table.schema, table.name], by: deadline).rows.compactMap {
            $0.text(0)
        }
        return StreamSchema(
            stream: stream,
            table: table,
            columns: columns,
            grouping: grouping.isEmpty ? nil : grouping
        )
    }

    private func checkTable(_ table: TableName, by deadline: Deadline) throws(CatalogueFault) {
        let rows = try query(Self.tableQuery, [table.schema, table.name], by: deadline).rows
        guard let row = rows.first else { throw .missingTable(table) }
        // Ordinary and partitioned tables, and foreign ones, which take COPY too.
        guard let kind = row.text(0), ["r", "p", "f"].contains(kind) else { throw .notATable(table) }
        if row.bool(1) != true {
            throw .missingPrivilege(table, role: connection.user, privilege: "USAGE on schema \(table.schema)")
        }
        if row.bool(2) != true { throw .missingPrivilege(table, role: connection.user, privilege: "INSERT") }
    }

    private func query(
        _ sql: String,
        _ parameters: [String?],
        by deadline: Deadline
    ) throws(CatalogueFault) -> QueryResult {
        do {
            return try connection.query(sql, parameters, by: deadline)
        } catch {
            throw .connection(error)
        }
    }

    /// The privilege may be held on the table or on each insertable column.
    private static let tableQuery = """
        SELECT c.relkind,
               pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
               pg_catalog.has_table_privilege(c.oid, 'INSERT') OR NOT EXISTS (
                   SELECT FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                     AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'INSERT'))
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2
        """

    /// The columns of the table's first B-tree index of several columns, but for the last one; its first column is no time, for rows come nearly
    /// in the order of their times. Nothing, where the order in which a transaction's rows come could be told: by a trigger that runs for each row,
    /// or where one row keeps another out.
    private static let groupingQuery = """
        WITH main AS (
            SELECT c.oid
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2
        ), family AS (
            SELECT oid FROM main
            UNION
            SELECT tree.relid FROM main CROSS JOIN LATERAL pg_catalog.pg_partition_tree(main.oid) AS tree
        ), chosen AS (
            SELECT i.indrelid, i.indkey, i.indnkeyatts
            FROM main
            JOIN pg_catalog.pg_index i ON i.indrelid = main.oid
            JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
            JOIN pg_catalog.pg_am m ON m.oid = x.relam
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            WHERE m.amname = 'btree' AND i.indnkeyatts > 1 AND i.indpred IS NULL AND i.indexprs IS NULL
              AND a.atttypid NOT IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_index u JOIN family f ON f.oid = u.indrelid
                              WHERE u.indisunique OR u.indisexclusion)
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t JOIN family f ON f.oid = t.tgrelid
                              WHERE NOT t.tgisinternal AND t.tgtype & 5 = 5)
            ORDER BY i.indexrelid
            LIMIT 1
        )
        SELECT a.attname
        FROM chosen
        CROSS JOIN LATERAL generate_series(0, chosen.indnkeyatts - 2) AS place
        JOIN pg_catalog.pg_attribute a ON a.attrelid = chosen.indrelid AND a.attnum = chosen.indkey[place]
        ORDER BY place
        """

    /// Domains are followed down to what they are made of; the constraints of every domain on the way count.
    private static let columnQuery = """
        SELECT a.attname,
               base.type_name,
               base.type_schema,
               a.attnotnull OR base.not_null,
               a.atthasdef OR a.attidentity <> '' OR base.has_default,
               base.modifier,
               pg_catalog.format_type(a.atttypid, a.atttypmod)
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        CROSS JOIN LATERAL (
            WITH RECURSIVE chain (type_id, modifier, depth) AS (
                SELECT a.atttypid, a.atttypmod, 0
                UNION ALL
                SELECT t.typbasetype, t.typtypmod, chain.depth + 1
                FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.type_id
                WHERE t.typtype = 'd'
            )
            SELECT (array_agg(t.typname ORDER BY chain.depth DESC))[1] AS type_name,
                   (array_agg(s.nspname ORDER BY chain.depth DESC))[1] AS type_schema,
                   (array_agg(chain.modifier ORDER BY chain.depth DESC))[1] AS modifier,
                   bool_or(t.typnotnull) AS not_null,
                   bool_or(t.typtype = 'd' AND t.typdefault IS NOT NULL) AS has_default
            FROM chain
            JOIN pg_catalog.pg_type t ON t.oid = chain.type_id
            JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
        ) AS base
        WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        ORDER BY a.attnum
        """
}

/// One row of the column query.
private struct ColumnDescription {
    let name: String
    /// As `format_type` writes it, for messages.
    let typeText: String
    private let row: QueryResult.Row

    init(_ row: QueryResult.Row) {
        self.row = row
        name = row.text(0) ?? ""
        typeText = row.text(6) ?? "unknown"
    }

    /// Nil if a stream can't have a column of this type.
    var column: Column? {
        guard row.text(2) == "pg_catalog", let type = row.text(1).flatMap({ ColumnType(catalogueName: $0) })
        else { return nil }
        var column = Column(
            name: name,
            type: type,
            notNull: row.bool(3) ?? false,
            hasDefault: row.bool(4) ?? false
        )
        // A modifier is 4 more than what it says (PostgreSQL's VARHDRSZ); -1 is none. Numeric: the precision in the upper 16 bits,
        // the scale in the lower 11, signed since version 15.
        if let modifier = row.integer(5), modifier >= 4 {
            let value = Int(modifier - 4)
            switch type {
            case .varchar: column.maximumLength = value
            case .numeric:
                let scale = value & 0x7FF
                column.numericLimits = Column.NumericLimits(precision: value >> 16, scale: (scale ^ 1024) - 1024)
            default: break
            }
        }
        return column
    }
}
