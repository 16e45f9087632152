package import PostgresWire
package import Topology

/// Where to listen, whom to let in, and where to read.
package struct ReadProxyConfiguration: Sendable {
    package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    package enum Pooling: String, Hashable, Sendable, CaseIterable {
        /// A backend is a client's from the beginning of a transaction to its end.
        case transaction
        /// To the end of the client's connection.
        case session
    }

    /// PEM files of a certificate chain and its private key.
    package struct TLS: Hashable, Sendable {
        package var certificateChain: String
        package var privateKey: String

        package init(certificateChain: String, privateKey: String) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }

    /// How the nodes are connected to.
    package struct Upstream: Hashable, Sendable {
        package enum TLSMode: String, Hashable, Sendable, CaseIterable {
            case disable, allow, prefer, require
            case verifyCA = "verify-ca"
            case verifyFull = "verify-full"

            /// Whether TLS is asked for at all. `allow` would take it where the server insists; here that is said as `prefer`.
            var asks: Bool { self != .disable && self != .allow }
            var insists: Bool { self == .require || self == .verifyCA || self == .verifyFull }
        }

        package var nodes: [NodeAddress]
        package var database: String
        package var user: String
        package var password: String?
        package var tls: TLSMode
        /// PEM file of the authorities; nil or `system` is those of the machine.
        package var authorities: String?
        package var connectTimeout: Duration
        /// Settings that every session begins with.
        package var settings: [StartupMessage.Parameter]

        package init(
            nodes: [NodeAddress],
            database: String,
            user: String,
            password: String?,
            tls: TLSMode = .prefer,
            authorities: String? = nil,
            connectTimeout: Duration = .seconds(5),
            settings: [StartupMessage.Parameter] = []
        ) {
            self.nodes = nodes
            self.database = database
            self.user = user
            self.password = password
            self.tls = tls
            self.authorities = authorities
            self.connectTimeout = connectTimeout
            self.settings = settings
        }
    }

    package var listen: [Endpoint] = [Endpoint(host: "127.0.0.1", port: 6432)]
    package var upstream: Upstream
    package var tls: TLS?
    package var pooling = Pooling.transaction
    /// Connections to each node, all loops together; each loop has one at least.
    package var poolSize = 20
    package var policy = ReadChoice.Policy()
    /// How long a transaction waits for a connection to a node.
    package var wait = Duration.seconds(2)
    package var maxConnections = 4096
    package var maxConnectionsPerUser = 4096
    /// From the connection to the end of the login.
    package var loginTimeout = Duration.seconds(10)
    /// Between transactions; zero is for ever.
    package var idleTimeout = Duration.zero
    /// The longest message of a client.
    package var maxMessageBytes = 64 << 20
    /// Prepared statements on each backend; the one prepared first goes for one more.
    package var preparedStatements = 500
    /// Every limit of time is kept to this much.
    package var sweepInterval = Duration.milliseconds(200)

    package init(upstream: Upstream) {
        self.upstream = upstream
    }
}
