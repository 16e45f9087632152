import Delivery
import Records

/// How `forebay init` gets into the database.
package enum AdministratorConnection {
    /// Connects as libpq's environment says (`PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, …), and makes the database if the server does
    /// not have it.
    ///
    /// - Parameters:
    ///   - database: the one to set up.
    ///   - dryRun: makes nothing, and so throws if the database is not there.
    ///   - progress: gets a line if the database was made.
    package static func open(
        database: String,
        dryRun: Bool = false,
        timeout: Duration = .seconds(10),
        progress: (String) -> Void = { _ in }
    ) throws(SetupFault) -> PostgresConnection {
        do {
            return try connect(to: database, timeout)
        } catch {
            // libpq has no SQLSTATE for a refused connection, so what the server has is looked up.
            guard !dryRun, case .unreachable = error, let maintenance = try? connect(to: "postgres", timeout) else {
                throw fault(database, error)
            }
            try create(database, on: maintenance, timeout, after: error)
            progress("database \(database): created")
        }
        do {
            return try connect(to: database, timeout)
        } catch {
            throw fault(database, error)
        }
    }

    private static func connect(to database: String, _ timeout: Duration) throws(ConnectionFault) -> PostgresConnection
    {
        try PostgresConnection(
            to: nil,
            settings: ConnectionSettings(database: database, applicationName: "forebay/init", keepalive: nil),
            deadline: .after(timeout)
        )
    }

    private static func create(
        _ database: String,
        on maintenance: PostgresConnection,
        _ timeout: Duration,
        after refusal: ConnectionFault
    ) throws(SetupFault) {
        do {
            let known = try maintenance.query(
                "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1",
                [database],
                by: .after(timeout)
            )
            // It is there, so it was refused for another reason.
            guard known.rows.isEmpty else { throw fault(database, refusal) }
            try maintenance.run("CREATE DATABASE \(quoteIdentifier(database))", by: .after(.seconds(120)))
        } catch let fault as SetupFault {
            throw fault
        } catch {
            throw fault(database, error as? ConnectionFault ?? refusal)
        }
    }

    private static func fault(_ database: String, _ error: ConnectionFault) -> SetupFault {
        SetupFault(
            step: "database \(database)",
            reason: "\(error)",
            remedy: "set PGHOST, PGPORT, PGUSER and PGPASSWORD to an administrator of the primary"
        )
    }
}
