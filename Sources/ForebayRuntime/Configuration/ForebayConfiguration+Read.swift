extension ForebayConfiguration {
    /// `read:`, the Postgres wire port for readers.
    package struct Read: Hashable, Sendable {
        package enum Pool: String, Hashable, Sendable, CaseIterable {
            case transaction
            case session
        }

        /// What is done when no replica may be read from.
        package enum LastResort: String, Hashable, Sendable, CaseIterable {
            case primary, wait, error
        }

        /// What is done when no replica shows in time what a reader must see.
        package enum Overdue: String, Hashable, Sendable, CaseIterable {
            case primary, error, stale
        }

        /// Empty: there is no read port.
        package var listen = [NetworkAddress(host: "127.0.0.1", port: 6432)]
        package var pool = Pool.transaction
        /// Connections to each node.
        package var poolSize = 20
        /// A replica that is further behind is not read from.
        package var maxLag = Duration.seconds(10)
        package var maxLagBytes = ByteCount(gibibytes: 1)
        package var lastResort = LastResort.primary
        package var overdue = Overdue.primary
        /// How long a transaction waits for a node.
        package var wait = Duration.seconds(2)
        /// For how long after a write the same identity reads its own writes; zero is never.
        package var readAfterWriteTTL = Duration.zero
        /// Who may log in besides the reader; nil is nobody.
        package var usersFile: String?
        package var maxConnections = 4096
        package var maxConnectionsPerUser = 4096
        package var loginTimeout = Duration.seconds(10)
        /// Between transactions; zero is for ever.
        package var idleTimeout = Duration.zero
        /// Within a transaction that waits for its client; zero is for ever.
        package var transactionIdleTimeout = Duration.seconds(60)
        /// Of one statement; zero is for ever. A client may set its own.
        package var statementTimeout = Duration.zero
        /// The longest message of a client.
        package var maxMessage = ByteCount(mebibytes: 64)
        /// On each connection to a node.
        package var preparedStatements = 500
        package var tls: TLS?
        /// Tokens that may ask over HTTP; nil is none.
        package var tokensFile: String?
        /// Of a query over HTTP, at most and by default.
        package var queryMaxRows = 1_000_000
        package var queryTimeout = Duration.seconds(30)

        package init() {}
    }
}
