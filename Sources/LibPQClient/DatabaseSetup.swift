package import DatabaseSchema
import Delivery
package import Records

/// Makes a database ready for Forebay, as an administrator: roles, migrations, grants, partitions. Every step looks at what is there,
/// so it can be run again at any time, and goes on where an earlier run broke off.
package struct DatabaseSetup {
    package var writer: DatabaseRole
    package var reader: DatabaseRole
    /// The tables of the configured streams.
    package var tables: [TableName]
    package var partitionsAhead: Int
    /// How long daily partitions are kept, in days; nil keeps them for ever.
    package var retentionDays: Int?
    package var migrations: [Migration]
    /// Says what would be done, and does nothing.
    package var dryRun: Bool
    /// How long any one statement may take.
    package var patience: Duration = .seconds(120)

    package init(
        writer: DatabaseRole,
        reader: DatabaseRole,
        tables: [TableName],
        partitionsAhead: Int = 7,
        retentionDays: Int? = nil,
        migrations: [Migration] = Migration.all,
        dryRun: Bool = false
    ) {
        self.writer = writer
        self.reader = reader
        self.tables = tables
        self.partitionsAhead = partitionsAhead
        self.retentionDays = retentionDays
        self.migrations = migrations
        self.dryRun = dryRun
    }

    /// Runs every step on an administrator's connection; `progress` gets a line per step.
    package func run(
        on connection: PostgresConnection,
        progress: (String) -> Void = { _ in }
    ) throws(SetupFault) {
        let session = SetupSession(connection: connection, dryRun: dryRun, patience: patience)
        try session.checkServer()
        try session.lock()
        for (role, purpose) in [(writer, "writer"), (reader, "reader")] {
            progress(try session.makeRole(role, purpose: purpose))
        }
        for line in try session.migrate(migrations) {
            progress(line)
        }
        for line in try session.grant(writer: writer.name, reader: reader.name, tables: tables) {
            progress(line)
        }
        try session.maintainPartitions(ahead: partitionsAhead, retentionDays: retentionDays, progress: progress)
        try session.unlock()
    }
}
