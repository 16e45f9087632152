import DatabaseSchema
import Records

extension SetupSession {
    /// Applies the migrations that are missing, each in a transaction of its own, after checking those that are there.
    func migrate(_ migrations: [Migration]) throws(SetupFault) -> [String] {
        let applied = try appliedMigrations()
        if let newest = applied.keys.max(), newest > migrations.count {
            throw SetupFault(
                step: "migrations",
                reason: "the database has migration \(newest), this Forebay knows \(migrations.count)",
                remedy: "use the newer Forebay that made it"
            )
        }
        var lines: [String] = []
        for migration in migrations {
            let step = "migration \(migration.fileName)"
            let checksum = try checksum(of: migration)
            if let known = applied[migration.version] {
                guard known == checksum else {
                    throw SetupFault(
                        step: step,
                        reason: "it was applied with other contents (SHA-256 \(known), now \(checksum))",
                        remedy: "use the Forebay that applied it; an applied migration is never edited"
                    )
                }
                continue
            }
            let note =
                "INSERT INTO forebay.migrations (version, name, checksum) VALUES (\(migration.version), "
                + "\(quoteLiteral(migration.name)), \(quoteLiteral(checksum)))"
            try change(step, "BEGIN;\n\(migration.sql);\n\(note);\nCOMMIT")
            lines.append("\(step): \(dryRun ? "would be applied" : "applied")")
        }
        return lines.isEmpty ? ["migrations: all \(migrations.count) are applied"] : lines
    }

    /// Checksums by version.
    private func appliedMigrations() throws(SetupFault) -> [Int: String] {
        let step = "migrations"
        let exists = "SELECT pg_catalog.to_regclass('forebay.migrations') IS NOT NULL"
        guard try query(step, exists).rows.first?.bool(0) == true else { return [:] }
        let rows = try query(step, "SELECT version, checksum FROM forebay.migrations").rows
        return rows.reduce(into: [:]) { known, row in
            if let version = row.integer(0) {
                known[Int(version)] = row.text(1) ?? ""
            }
        }
    }

    private func checksum(of migration: Migration) throws(SetupFault) -> String {
        let sql = "SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8')), 'hex')"
        return try query("migration \(migration.fileName)", sql, [migration.sql]).rows.first?.text(0) ?? ""
    }
}
