import DatabaseSchema
import Delivery
import Records
import Topology

/// The part of a ``ClusterCheck`` that asks the primary, as the writer.
struct DatabaseCheck {
    let check: ClusterCheck
    let connection: PostgresConnection
    let observations: [NodeObservation]

    func run() throws(ConnectionFault) -> [CheckLine] {
        var lines = try settingsLines() + replicationLines()
        guard
            try connection.query("SELECT pg_catalog.to_regnamespace('forebay') IS NOT NULL", by: deadline).rows.first?
                .bool(0) == true
        else {
            lines.append(CheckLine(.fail, "schema forebay", "it is not there", remedy: Self.runInit))
            return lines
        }
        guard try has("has_schema_privilege('forebay', 'USAGE')") else {
            lines.append(CheckLine(.fail, "schema forebay", "\(connection.user) may not use it", remedy: Self.runInit))
            return lines
        }
        let migrations = try migrationLine()
        lines.append(migrations)
        guard migrations.level == .ok else { return lines }
        lines += try roleLines() + ledgerLines() + partitionLines()
        for stream in check.streams {
            lines.append(try streamLine(stream))
        }
        return lines
    }

    private static let runInit = "run `forebay init` as an administrator"
    private var deadline: Deadline { .after(check.timeout) }

    private func has(_ privilege: String) throws(ConnectionFault) -> Bool {
        try connection.query("SELECT pg_catalog.\(privilege)", by: deadline).rows.first?.bool(0) == true
    }

    // MARK: Server

    private func settingsLines() throws(ConnectionFault) -> [CheckLine] {
        let rows = try connection.query(
            """
            SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('synchronous_commit', 'synchronous_standby_names', 'fsync',
            'full_page_writes', 'wal_level', 'max_connections', 'hot_standby')
            """,
            by: deadline
        ).rows
        let settings = Dictionary(rows.map { ($0.text(0) ?? "", $0.text(1) ?? "") }) { $1 }
        let subject = "settings"
        var lines: [CheckLine] = []
        for name in ["fsync", "full_page_writes"] where settings[name] == "off" {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "\(name) is off: a crash of the machine can destroy the database",
                    remedy: "set \(name) = on"
                )
            )
        }
        if settings["wal_level"] == "minimal", check.nodes.count > 1 {
            lines.append(
                CheckLine(
                    .fail,
                    subject,
                    "wal_level is minimal: nothing can be replicated",
                    remedy: "set wal_level = replica"
                )
            )
        }
        if settings["synchronous_commit"] == "off" {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "synchronous_commit is off: a crash takes back what was just committed; Forebay sends it again if retention.min_age "
                        + "still has it",
                    remedy: "set synchronous_commit = local or on"
                )
            )
        } else {
            let names = settings["synchronous_standby_names"] ?? ""
            lines.append(
                CheckLine(
                    .ok,
                    subject,
                    "synchronous_commit \(settings["synchronous_commit"] ?? "?"), "
                        + "synchronous_standby_names \(names.isEmpty ? "none (asynchronous replication, which is enough)" : names)"
                )
            )
        }
        let used =
            try connection.query(
                "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'",
                by: deadline
            )
            .rows.first?.integer(0) ?? 0
        let most = Int64(settings["max_connections"] ?? "") ?? 0
        let finding = "\(used) of \(most) connections are in use"
        let isTight = used * 10 >= most * 8
        lines.append(
            CheckLine(
                isTight ? .warn : .ok,
                subject,
                finding,
                remedy: isTight ? "raise max_connections, or find who holds them" : nil
            )
        )
        return lines
    }

    private func replicationLines() throws(ConnectionFault) -> [CheckLine] {
        let senders =
            try connection.query("SELECT count(*) FROM pg_catalog.pg_stat_replication", by: deadline).rows.first?
            .integer(0) ?? 0
        let subject = "replication"
        var lines: [CheckLine] = []
        let expected = check.nodes.count - 1
        if expected == 0 {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "only one node is configured: when it dies, nothing takes over",
                    remedy: "set up replicas and name them in postgres.nodes"
                )
            )
        } else if senders < expected {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "\(senders) of \(expected) replicas receive from the primary",
                    remedy: "see the lines of the nodes; the queue keeps everything until the required replicas show it"
                )
            )
        } else {
            lines.append(CheckLine(.ok, subject, "\(senders) replicas receive from the primary"))
        }
        let slots = try connection.query(
            "SELECT slot_name, active, wal_status FROM pg_catalog.pg_replication_slots WHERE NOT active OR wal_status = 'lost'",
            by: deadline
        ).rows
        for slot in slots {
            let name = slot.text(0) ?? ""
            let isLost = slot.text(2) == "lost"
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    isLost
                        ? "slot \(name) has lost WAL that its replica needs"
                        : "nobody uses slot \(name), which keeps WAL on the disk",
                    remedy: isLost
                        ? "make that replica anew (pg_basebackup)"
                        : "start its replica, or drop it: SELECT pg_drop_replication_slot(\(quoteLiteral(name)))"
                )
            )
        }
        return lines
    }

    // MARK: Schema and roles

    private func migrationLine() throws(ConnectionFault) -> CheckLine {
        let subject = "schema forebay"
        guard
            try connection.query("SELECT pg_catalog.to_regclass('forebay.migrations') IS NOT NULL", by: deadline).rows
                .first?.bool(0) == true
        else { return CheckLine(.fail, subject, "no migration was applied", remedy: Self.runInit) }
        guard try has("has_table_privilege('forebay.migrations', 'SELECT')") else {
            return CheckLine(.fail, subject, "\(connection.user) may not read forebay.migrations", remedy: Self.runInit)
        }
        let applied = try connection.query(
            "SELECT version, name FROM forebay.migrations ORDER BY version",
            by: deadline
        ).rows
        let versions = Set(applied.compactMap { $0.integer(0) })
        let missing = check.migrations.filter { !versions.contains(Int64($0.version)) }
        if !missing.isEmpty {
            return CheckLine(
                .fail,
                subject,
                "missing: \(missing.map(\.fileName).joined(separator: ", "))",
                remedy: Self.runInit
            )
        }
        if let newest = versions.max(), newest > check.migrations.count {
            return CheckLine(
                .fail,
                subject,
                "it is of a newer Forebay (migration \(newest), this one knows \(check.migrations.count))",
                remedy: "use that Forebay"
            )
        }
        return CheckLine(.ok, subject, "all \(versions.count) migrations are applied")
    }

    private func roleLines() throws(ConnectionFault) -> [CheckLine] {
        let subject = "writer \(connection.user)"
        var missing: [String] = []
        for function in [
            "forebay.claim(uuid, integer)", "forebay.advance(uuid, integer, bigint, bigint, bigint)",
            "forebay.maintain_partitions(integer, interval)", "forebay.daily_table_names()",
            "forebay.days_ahead(regclass, integer)", "forebay.days_past(regclass, interval)",
            "forebay.make_day(regclass, date, bigint)",
        ] where try !has("has_function_privilege('\(function)', 'EXECUTE')") {
            missing.append("EXECUTE on \(function)")
        }
        if try !has("has_table_privilege('forebay.ledger', 'SELECT')") {
            missing.append("SELECT on forebay.ledger")
        }
        var lines: [CheckLine] = []
        if missing.isEmpty {
            lines.append(CheckLine(.ok, subject, "may claim, advance and maintain partitions"))
        } else {
            lines.append(CheckLine(.fail, subject, "lacks \(missing.joined(separator: ", "))", remedy: Self.runInit))
        }
        let role = try connection.query(
            """
            SELECT r.rolsuper, (SELECT count(*) FROM pg_catalog.pg_class c WHERE c.relowner = r.oid)
            FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
            """,
            by: deadline
        ).rows.first
        if role?.bool(0) == true {
            lines.append(CheckLine(.warn, subject, "is a superuser", remedy: "name another role as the writer"))
        } else if let owned = role?.integer(1), owned > 0 {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "owns \(owned) tables or indexes",
                    remedy: "give them to an administrator: REASSIGN OWNED"
                )
            )
        }
        return lines
    }

    private func ledgerLines() throws(ConnectionFault) -> [CheckLine] {
        let row = try connection.query(
            "SELECT count(*), count(DISTINCT queue), max(updated_at) FROM forebay.ledger",
            by: deadline
        ).rows.first
        let lanes = row?.integer(0) ?? 0
        let finding =
            lanes == 0
            ? "no lane yet" : "\(lanes) lanes of \(row?.integer(1) ?? 0) queues, last moved \(row?.text(2) ?? "?")"
        var lines = [CheckLine(.ok, "ledger", finding)]
        for observation in observations {
            guard case .success(let state) = observation.state, state.isInRecovery, state.ledger == nil else {
                continue
            }
            lines.append(
                CheckLine(
                    .warn,
                    "ledger",
                    "\(observation.node) does not show it yet",
                    remedy: "wait until that replica has caught up"
                )
            )
        }
        return lines
    }

    // MARK: Streams

    private func streamLine(_ stream: ClusterCheck.Stream) throws(ConnectionFault) -> CheckLine {
        let subject = "stream \(stream.name)"
        do {
            let schema = try Catalogue(connection).schema(of: stream.table, stream: stream.name, by: deadline)
            let sql =
                "SELECT pg_catalog.has_table_privilege(r.oid, $1, 'SELECT') FROM pg_catalog.pg_roles r WHERE r.rolname = $2"
            let mayRead = try connection.query(sql, [stream.table.quoted, check.reader.user], by: deadline).rows.first?
                .bool(0)
            if mayRead != true {
                let finding = "\(check.reader.user ?? "the reader") may not read \(stream.table)"
                return CheckLine(.fail, subject, finding, remedy: Self.runInit)
            }
            return CheckLine(.ok, subject, "\(stream.table) has \(schema.columns.count) columns to write")
        } catch let fault as CatalogueFault {
            return CheckLine(.fail, subject, "\(fault)")
        } catch let fault as ConnectionFault {
            throw fault
        } catch {
            throw .broken("\(error)")
        }
    }

    private func partitionLines() throws(ConnectionFault) -> [CheckLine] {
        let tables = try connection.query(
            """
            SELECT t.table_id::text,
                   (SELECT max(b.upper_bound)::date - current_date FROM forebay.partition_bounds(t.table_id) AS b),
                   coalesce(pg_catalog.pg_stat_get_live_tuples(nullif(p.partdefid, 0)), 0)
            FROM forebay.daily_tables t JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = t.table_id
            """,
            by: deadline
        ).rows
        return tables.flatMap { row in
            let subject = "partitions of \(row.text(0) ?? "")"
            // The last partition ends at the beginning of a day: the day before it is the last that has one.
            let ahead = (row.integer(1) ?? -1) - 1
            var lines: [CheckLine] = []
            if ahead < 2 {
                lines.append(
                    CheckLine(
                        .warn,
                        subject,
                        ahead < 0 ? "there is none for today" : "they reach \(ahead) days ahead",
                        remedy:
                            "a running proxy makes them every hour; by hand: SELECT * FROM forebay.maintain_partitions(7, NULL)"
                    )
                )
            } else {
                lines.append(CheckLine(.ok, subject, "they reach \(ahead) days ahead"))
            }
            if let strays = row.integer(2), strays > 0 {
                lines.append(
                    CheckLine(
                        .warn,
                        subject,
                        "about \(strays) rows stand in the default partition",
                        remedy:
                            "those of days up to 7 ahead move within hours, unless a day has more than \(DailyPartitions.mostRows) of them: "
                            + "move that with forebay.make_partition when few write; later days are a sender's wrong clock"
                    )
                )
            }
            return lines
        }
    }
}
