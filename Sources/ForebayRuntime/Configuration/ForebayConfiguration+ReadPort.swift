import PostgresWire
import ReadProxy
import Topology

/// The configuration in the terms of the read port.
extension ForebayConfiguration {
    /// - Throws: a `ConfigurationFault` for a password file that can't be read.
    func readConfiguration() throws(ConfigurationFault) -> ReadProxyConfiguration {
        guard let mode = ReadProxyConfiguration.Upstream.TLSMode(rawValue: postgres.sslmode.rawValue),
            let lastResort = ReadChoice.LastResort(rawValue: read.lastResort.rawValue),
            let overdue = ReadChoice.Overdue(rawValue: read.overdue.rawValue)
        else { preconditionFailure("a word of the configuration that the read port does not know") }
        let upstream = ReadProxyConfiguration.Upstream(
            nodes: nodeAddresses,
            database: postgres.database,
            user: postgres.reader.user,
            password: try postgres.reader.resolvePassword()?.reveal(),
            tls: mode,
            authorities: postgres.sslrootcert,
            connectTimeout: postgres.connectTimeout,
            settings: [
                .init("application_name", "forebay/read"),
                .init("client_encoding", "UTF8"),
                .init("default_transaction_read_only", "on"),
                .init("statement_timeout", milliseconds(read.statementTimeout)),
                .init("idle_in_transaction_session_timeout", milliseconds(read.transactionIdleTimeout)),
                // A server that works for a connection that is gone looks whether it still has a client.
                .init("client_connection_check_interval", "2000"),
            ]
        )
        var configuration = ReadProxyConfiguration(upstream: upstream)
        configuration.listen = read.listen.map { ReadProxyConfiguration.Endpoint(host: $0.host, port: $0.port) }
        configuration.tls = read.tls.map {
            ReadProxyConfiguration.TLS(certificateChain: $0.certificate, privateKey: $0.key)
        }
        configuration.pooling =
            switch read.pool {
            case .transaction: .transaction
            case .session: .session
            }
        configuration.poolSize = read.poolSize
        configuration.policy = ReadChoice.Policy(lastResort: lastResort, overdue: overdue)
        configuration.wait = read.wait
        configuration.maxConnections = read.maxConnections
        configuration.maxConnectionsPerUser = read.maxConnectionsPerUser
        configuration.loginTimeout = read.loginTimeout
        configuration.idleTimeout = read.idleTimeout
        configuration.maxMessageBytes = read.maxMessage.bytes
        configuration.preparedStatements = read.preparedStatements
        return configuration
    }

    var readBounds: ReadRoster.Bounds {
        ReadRoster.Bounds(lag: read.maxLag, bytes: UInt64(read.maxLagBytes.bytes))
    }

    /// The reader, if it has a password, and the users of the file. Blocks, and takes some milliseconds for each password.
    ///
    /// - Throws: a `ConfigurationFault` for a file of users that can't be read.
    func readUsers(readerPassword: String?) throws(ConfigurationFault) -> ReadUsers {
        var random = SystemRandomNumberGenerator()
        let salt = { (0..<ScramVerifier.saltBytes).map { _ in UInt8.random(in: 0...255, using: &random) } }
        var users = ReadUsers()
        if let path = read.usersFile {
            let bytes: [UInt8]
            do {
                bytes = try SmallFile.read(path)
            } catch {
                throw ConfigurationFault(
                    key: "read.users_file",
                    found: "\(path) (\(error.reason))",
                    expected: "a file of users"
                )
            }
            do {
                users = try ReadUsers(parsing: bytes, salt: salt)
            } catch {
                throw ConfigurationFault(
                    key: "read.users_file",
                    found: "\(path) (\(error))",
                    expected: "a file of users"
                )
            }
        }
        let reader = postgres.reader.user
        if users[reader] == nil, let readerPassword {
            users.add(reader, ScramVerifier(password: readerPassword, salt: salt()))
        }
        return users
    }

    /// How many users may log in to the read port. Blocks as ``readUsers(readerPassword:)``.
    ///
    /// - Throws: a `ConfigurationFault` for a file that can't be read.
    package func readUserCount() throws(ConfigurationFault) -> Int {
        try readUsers(readerPassword: try postgres.reader.resolvePassword()?.reveal()).count
    }

    private func milliseconds(_ duration: Duration) -> String {
        String(Int(duration / .milliseconds(1)))
    }
}
