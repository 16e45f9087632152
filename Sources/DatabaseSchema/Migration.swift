/// A numbered change of the database, from a file in `deploy/sql`. The files are embedded when the package is built, and are the
/// only copy of the schema.
package struct Migration: Hashable, Sendable {
    /// Counted from 1, without gaps.
    package let version: Int
    /// The file's name after the number, without its ending.
    package let name: String
    /// Its statements, to be run in one transaction.
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// The file's name in `deploy/sql`.
    package var fileName: String {
        let digits = String(version)
        return String(repeating: "0", count: 4 - digits.count) + digits + "_\(name).sql"
    }

    /// Every migration, in the order of application.
    package static let all: [Migration] = [
        ("migrations", PackageResources._001_migrations_sql),
        ("ledger", PackageResources._002_ledger_sql),
        ("batch_keys", PackageResources._003_batch_keys_sql),
        ("daily_partitions", PackageResources._004_daily_partitions_sql),
        ("apirequests", PackageResources._005_apirequests_sql),
        ("apirequests_kpis", PackageResources._006_apirequests_kpis_sql),
        ("unique_epochs", PackageResources._007_unique_epochs_sql),
        ("partitions_by_day", PackageResources._008_partitions_by_day_sql),
    ].enumerated().map { index, file in
        Migration(version: index + 1, name: file.0, sql: String(decoding: file.1, as: UTF8.self))
    }
}
