import Records

extension SetupSession {
    /// Gives the roles what they need and no more. The roles own nothing.
    func grant(writer: String, reader: String, tables: [TableName]) throws(SetupFault) -> [String] {
        let writerName = quoteIdentifier(writer)
        let readerName = quoteIdentifier(reader)
        let both = "\(writerName), \(readerName)"
        try change(
            "grants on schema forebay",
            """
            BEGIN;
            GRANT CONNECT ON DATABASE \(quoteIdentifier(connection.database)) TO \(both);
            GRANT USAGE ON SCHEMA forebay TO \(both);
            GRANT SELECT ON forebay.ledger, forebay.migrations, forebay.daily_tables TO \(both);
            GRANT SELECT, INSERT ON forebay.batch_keys TO \(writerName);
            GRANT EXECUTE ON FUNCTION forebay.claim(uuid, integer),
                forebay.advance(uuid, integer, bigint, bigint, bigint),
                forebay.maintain_partitions(integer, interval),
                forebay.daily_table_names(),
                forebay.days_ahead(regclass, integer),
                forebay.days_past(regclass, interval),
                forebay.make_day(regclass, date, bigint),
                forebay.forget_batch_keys(interval) TO \(writerName);
            ALTER ROLE \(readerName) SET default_transaction_read_only = on;
            COMMIT
            """
        )
        var lines = ["grants on schema forebay: \(dryRun ? "would be given" : "given")"]
        for table in tables {
            lines.append(try grant(on: table, writer: writerName, reader: readerName))
        }
        return lines
    }

    private func grant(on table: TableName, writer: String, reader: String) throws(SetupFault) -> String {
        let step = "grants on \(table)"
        let exists = try query(step, "SELECT pg_catalog.to_regclass($1) IS NOT NULL", [table.quoted])
        guard exists.rows.first?.bool(0) == true else {
            if dryRun { return "\(step): would be given" }
            throw SetupFault(
                step: step,
                reason: "the table does not exist",
                remedy: "create it, or take its stream out of the configuration; then run this again"
            )
        }
        let schema = quoteIdentifier(table.schema)
        var script = "BEGIN; GRANT USAGE ON SCHEMA \(schema) TO \(writer), \(reader);"
        script += "GRANT INSERT ON \(table.quoted) TO \(writer); GRANT SELECT ON \(table.quoted) TO \(reader);"
        // A serial column's default calls its sequence with the writer's rights; an identity column's does not.
        let sequences = try query(
            step,
            """
            SELECT pg_catalog.format('%I.%I', n.nspname, s.relname)
            FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
            JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
              AND d.refobjid = $1::regclass AND d.deptype = 'a'
            """,
            [table.quoted]
        )
        for sequence in sequences.rows.compactMap({ $0.text(0) }) {
            script += "GRANT USAGE ON SEQUENCE \(sequence) TO \(writer);"
        }
        for view in try views(over: table) {
            script += "GRANT SELECT ON \(view) TO \(reader);"
        }
        try change(step, script + "COMMIT")
        return "\(step): \(dryRun ? "would be given" : "given")"
    }

    /// The KPI views that a migration made over the table: `<table>_hourly` and `<table>_daily`.
    private func views(over table: TableName) throws(SetupFault) -> [String] {
        var found: [String] = []
        for suffix in ["hourly", "daily"] {
            let name = TableName(schema: table.schema, name: "\(table.name)_\(suffix)").quoted
            let exists = try query("grants on \(table)", "SELECT pg_catalog.to_regclass($1) IS NOT NULL", [name])
            if exists.rows.first?.bool(0) == true {
                found.append(name)
            }
        }
        return found
    }
}
