/// What a local cluster is made of.
package struct ClusterPlan: Hashable, Sendable {
    /// Streaming replicas beside the primary, each asynchronous, with a replication slot of its own.
    package var replicas: Int
    /// Ports of the primary and of each replica, in order; nil for free ones of the system's choice.
    package var ports: [Int]?
    /// Off only for tests that don't crash the machine: PostgreSQL then leaves syncing to the kernel.
    package var fsync: Bool
    /// Each node has a network of its own, so that links can be cut; see `LocalCluster.prepareForLinks`.
    package var hasLinks: Bool
    /// Lines for every node's `postgresql.conf`, each a name and a value as it is written there.
    package var settings: [String: String]

    package init(
        replicas: Int = 0,
        ports: [Int]? = nil,
        fsync: Bool = true,
        hasLinks: Bool = false,
        settings: [String: String] = [:]
    ) {
        self.replicas = replicas
        self.ports = ports
        self.fsync = fsync
        self.hasLinks = hasLinks
        self.settings = settings
    }

    /// `postgresql.conf` of a node, apart from its port.
    func configuration() -> String {
        var lines = [
            "listen_addresses": hasLinks ? "'*'" : "'\(LocalNode.host)'",
            "unix_socket_directories": "''",
            "password_encryption": "'scram-sha-256'",
            "wal_level": "replica",
            "hot_standby": "on",
            "max_wal_senders": "10",
            "max_replication_slots": "10",
            "max_connections": "100",
            "wal_keep_size": "'256MB'",
            "max_slot_wal_keep_size": "'4GB'",
            "wal_receiver_status_interval": "'1s'",
            "log_line_prefix": "'%m [%p] %q%u@%d %a '",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            "fsync": fsync ? "on" : "off",
            "full_page_writes": fsync ? "on" : "off",
        ]
        lines.merge(settings) { $1 }
        return lines.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
    }
}
