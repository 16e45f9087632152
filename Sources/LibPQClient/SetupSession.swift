import DatabaseSchema
import Delivery
import Records

/// The steps of a ``DatabaseSetup`` on one connection.
struct SetupSession {
    let connection: PostgresConnection
    let dryRun: Bool
    let patience: Duration

    /// Any number that nobody else uses as a key of a session lock.
    private static let lockKey = 0x466F_7265_6261_7901

    func checkServer() throws(SetupFault) {
        let step = "server \(connection.place)"
        guard connection.serverVersion >= 140_000 else {
            throw SetupFault(
                step: step,
                reason: "PostgreSQL \(connection.serverVersion / 10000) is too old",
                remedy: "use PostgreSQL 14 or later"
            )
        }
        if try query(step, "SELECT pg_catalog.pg_is_in_recovery()").rows.first?.bool(0) == true {
            throw SetupFault(
                step: step,
                reason: "this node is a replica, which takes no changes",
                remedy: "set PGHOST and PGPORT to the primary"
            )
        }
    }

    /// One set-up at a time. The lock goes with the connection, if nothing else ends it.
    func lock() throws(SetupFault) {
        let step = "lock"
        guard try query(step, "SELECT pg_catalog.pg_try_advisory_lock(\(Self.lockKey))").rows.first?.bool(0) == true
        else {
            throw SetupFault(
                step: step,
                reason: "another set-up of this database is under way",
                remedy: "wait until it is done, then run this again"
            )
        }
    }

    func unlock() throws(SetupFault) {
        try query("lock", "SELECT pg_catalog.pg_advisory_unlock(\(Self.lockKey))")
    }

    func makeRole(_ role: DatabaseRole, purpose: String) throws(SetupFault) -> String {
        let step = "role \(role.name)"
        let known = try query(
            step,
            "SELECT rolcanlogin, rolsuper FROM pg_catalog.pg_roles WHERE rolname = $1",
            [role.name]
        ).rows.first
        if known?.bool(1) == true {
            throw SetupFault(
                step: step,
                reason: "the \(purpose) is a superuser",
                remedy: "name a role of its own as the \(purpose); Forebay needs no superuser to run"
            )
        }
        var clauses = ["LOGIN"]
        if let password = role.password {
            let verifier: String
            do {
                verifier = try connection.scramVerifier(of: password, for: role.name)
            } catch {
                throw SetupFault(step: step, reason: "\(error)")
            }
            clauses.append("PASSWORD \(quoteLiteral(verifier))")
        }
        let verb = known == nil ? "CREATE" : "ALTER"
        try change(step, "\(verb) ROLE \(quoteIdentifier(role.name)) \(clauses.joined(separator: " "))")
        let existence = known == nil ? (dryRun ? "would be created" : "created") : "exists"
        let change = dryRun ? "would be set" : "set"
        return "\(step): \(existence), password \(role.password == nil ? "left as it is" : change)"
    }

    // MARK: Statements

    /// Reads; also in a dry run.
    @discardableResult
    func query(_ step: String, _ sql: String, _ parameters: [String?] = []) throws(SetupFault) -> QueryResult {
        do {
            return try connection.query(sql, parameters, by: .after(patience))
        } catch {
            throw SetupFault(step: step, reason: "\(error)", remedy: Self.remedy(for: error))
        }
    }

    /// Changes something: one or more statements in one transaction. Nothing in a dry run.
    func change(_ step: String, _ script: String) throws(SetupFault) {
        if dryRun { return }
        do {
            try connection.run(script, by: .after(patience))
        } catch {
            _ = connection.isIdle(afterRollbackBy: .after(patience))
            throw SetupFault(step: step, reason: "\(error)", remedy: Self.remedy(for: error))
        }
    }

    static func remedy(for fault: ConnectionFault) -> String? {
        guard case .server(let error) = fault else { return nil }
        return switch error.sqlState {
        case "42501": "connect as a role that may do this, such as the database's owner with CREATEROLE, or a superuser"
        case "42P07", "42710", "42723":
            "something of this name is there already: rename or drop it, then run this again"
        case "55P03", "57014": "another session holds a lock: find it in pg_locks, then run this again"
        default: nil
        }
    }
}
