extension ForebayConfiguration {
    /// `postgres:`, the cluster.
    package struct Postgres: Hashable, Sendable {
        /// libpq's `sslmode`, by the same names (PostgreSQL manual, section 34.19.3).
        package enum SSLMode: String, Hashable, Sendable, CaseIterable {
            case disable, allow, prefer, require
            case verifyCA = "verify-ca"
            case verifyFull = "verify-full"
        }

        /// Every node that is, or may become, the primary. A host that begins with `/` is the directory of a Unix socket.
        package var nodes = [
            NetworkAddress(host: "127.0.0.1", port: 5432),
            NetworkAddress(host: "127.0.0.1", port: 5433),
            NetworkAddress(host: "127.0.0.1", port: 5434),
        ]
        package var database = "apm"
        package var sslmode = SSLMode.prefer
        /// The file of the authorities' certificates; nil leaves libpq's own default.
        package var sslrootcert: String?
        package var connectTimeout = Duration.seconds(5)
        /// After that long without its end, a flush or a query is given up and its connection closed.
        package var statementDeadline = Duration.seconds(60)
        /// Inserts, and advances the ledger.
        package var writer = Role(user: "apm_writer", passwordFile: "/etc/forebay/writer")
        /// Selects.
        package var reader = Role(user: "apm_reader", passwordFile: "/etc/forebay/reader")

        package init() {}
    }

    /// A PostgreSQL role and where its password comes from.
    package struct Role: Hashable, Sendable {
        package var user: String
        /// A file whose first line is the password; nil, or a default that does not exist, connects without one.
        package var passwordFile: String?
        /// The file was named by the operator, so it must be there.
        package var passwordFileRequired = false
        /// From the environment; goes before the file.
        package var password: Secret?

        package init(user: String, passwordFile: String? = nil) {
            self.user = user
            self.passwordFile = passwordFile
        }
    }
}
