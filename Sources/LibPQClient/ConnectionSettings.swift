import Topology

/// How to connect, apart from the node. What is nil is left to libpq, that is to its environment (`PGUSER`, `PGPASSWORD`, …).
package struct ConnectionSettings: Sendable {
    package var database: String?
    package var user: String?
    package var password: Password?
    /// Shown in `pg_stat_activity`.
    package var applicationName: String
    /// libpq's `sslmode`: disable, allow, prefer, require, verify-ca or verify-full.
    package var sslMode: String?
    /// File of the certificate authorities that `verify-ca` and `verify-full` trust.
    package var sslRootCertificate: String?
    /// Settings of the session, such as `("statement_timeout", "30s")`; any role may set the ones that Forebay uses.
    package var session: [SessionSetting]
    /// Nil leaves TCP to the defaults of both systems.
    package var keepalive: Keepalive?

    /// Where the password comes from.
    package enum Password: Sendable {
        case fixed(String)
        /// Asked anew for each connection, on the thread that makes it, so that a change is taken up with the next one; nil sends none.
        case asked(@Sendable () throws(ConnectionFault) -> String?)

        fileprivate var current: String? {
            get throws(ConnectionFault) {
                switch self {
                case .fixed(let text): text
                case .asked(let ask): try ask()
                }
            }
        }
    }

    package struct SessionSetting: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// When TCP gives up on a peer that has gone without a word, on both ends of the connection.
    package struct Keepalive: Hashable, Sendable {
        /// Idle time before the first probe; whole seconds.
        package var idle: Duration = .seconds(10)
        /// Time between probes; whole seconds.
        package var interval: Duration = .seconds(5)
        /// Probes without an answer before the connection counts as lost.
        package var count = 3
        /// How long sent bytes may stay unacknowledged (`TCP_USER_TIMEOUT`).
        package var unacknowledged: Duration = .seconds(30)
        /// How often a server that is at work for this connection, or waits for a lock, looks whether it still has a client
        /// (`client_connection_check_interval`, version 14 on). A claim whose client has given up would otherwise go through one day,
        /// and fence off the claims after it.
        package var clientCheck: Duration = .seconds(2)

        package init() {}
    }

    package init(
        database: String? = nil,
        user: String? = nil,
        password: Password? = nil,
        applicationName: String = "forebay",
        sslMode: String? = nil,
        sslRootCertificate: String? = nil,
        session: [SessionSetting] = [],
        keepalive: Keepalive? = Keepalive()
    ) {
        self.database = database
        self.user = user
        self.password = password
        self.applicationName = applicationName
        self.sslMode = sslMode
        self.sslRootCertificate = sslRootCertificate
        self.session = session
        self.keepalive = keepalive
    }

    /// libpq's connection keywords and their values (PostgreSQL manual, section 34.1.2), for one connection.
    func keywords(for node: NodeAddress?) throws(ConnectionFault) -> [(name: String, value: String)] {
        var words: [(name: String, value: String)] = []
        func add(_ name: String, _ value: String?) {
            if let value {
                words.append((name, value))
            }
        }
        add("host", node?.host)
        add("port", node.map { String($0.port) })
        add("dbname", database)
        add("user", user)
        add("password", try password?.current)
        add("application_name", applicationName)
        add("sslmode", sslMode)
        add("sslrootcert", sslRootCertificate)
        add("client_encoding", "UTF8")
        if let keepalive {
            add("keepalives_idle", String(keepalive.idle.components.seconds))
            add("keepalives_interval", String(keepalive.interval.components.seconds))
            add("keepalives_count", String(keepalive.count))
            add("tcp_user_timeout", String(keepalive.unacknowledged.milliseconds))
        }
        add("options", options)
        return words
    }

    /// The server's end of a lost connection holds the lane's ledger row until the server notices, so it is told to notice as soon
    /// as this end does.
    private var options: String? {
        var settings = session
        if let keepalive {
            settings += [
                SessionSetting("tcp_keepalives_idle", String(keepalive.idle.components.seconds)),
                SessionSetting("tcp_keepalives_interval", String(keepalive.interval.components.seconds)),
                SessionSetting("tcp_keepalives_count", String(keepalive.count)),
                SessionSetting("tcp_user_timeout", String(keepalive.unacknowledged.milliseconds)),
                SessionSetting("client_connection_check_interval", String(keepalive.clientCheck.milliseconds)),
            ]
        }
        if settings.isEmpty {
            return nil
        }
        return settings.map { "-c \($0.name)=\(escaped($0.value))" }.joined(separator: " ")
    }

    /// `options` is split at spaces; a backslash keeps a space or a backslash.
    private func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            if character == " " || character == "\\" {
                text.append("\\")
            }
            text.append(character)
        }
    }
}

extension ConnectionSettings: CustomStringConvertible {
    /// Without the password.
    package var description: String {
        "\(user ?? "default user")@\(database ?? "default database")"
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
