/// Nodes that become replicas of another one than the one they were made from.
extension LocalCluster {
    /// Makes a node anew as a replica of another one, whatever it was before, and starts it.
    package func rebuild(_ node: LocalNode, from source: LocalNode) throws(LocalPostgresFault) {
        try node.kill()
        let file = "\(node.dataDirectory)/postgresql.conf"
        guard let configuration = TextFile.read(file) else { throw LocalPostgresFault("\(file) can't be read") }
        try Subprocess.forPostgres.require("/bin/rm", ["-rf", node.dataDirectory])
        let slot = node.slot
        try source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '\(slot)' AND NOT active"
        )
        try node.postgres.require(
            programs.path("pg_basebackup"),
            [
                "-D", node.dataDirectory, "-h", source.host, "-p", "\(source.port)", "-U", Self.superuser,
                "-X", "stream", "-c", "fast", "--no-sync", "-C", "-S", slot, "-R",
            ],
            environment: ["PGPASSWORD": superuserPassword, "PGAPPNAME": node.name]
        )
        try configure(node, configuration)
        try node.start()
    }

    /// Makes a node that went on by itself, or was left behind, a replica of another one by `pg_rewind`, and starts it: what it has and the
    /// other lacks is thrown away. The nodes need `wal_log_hints` and `full_page_writes`, and a replica must have been stopped in order.
    package func rewind(_ node: LocalNode, to source: LocalNode) throws(LocalPostgresFault) {
        try node.stop(.fast)
        let file = "\(node.dataDirectory)/postgresql.conf"
        guard let configuration = TextFile.read(file) else { throw LocalPostgresFault("\(file) can't be read") }
        // First of all, so that the source keeps what it writes while the node is not there yet.
        try source.execute(
            "SELECT pg_create_physical_replication_slot('\(node.slot)', true) "
                + "WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '\(node.slot)')"
        )
        // Up to version 15, pg_rewind takes the source's timeline from its control file, where a promotion shows with the next
        // checkpoint.
        try source.execute("CHECKPOINT")
        try node.postgres.require(
            programs.path("pg_rewind"),
            [
                "-D", node.dataDirectory, "--no-sync", "--source-server",
                "host=\(source.host) port=\(source.port) user=\(Self.superuser) dbname=postgres",
            ],
            environment: ["PGPASSWORD": superuserPassword]
        )
        // The source's has come with its other files.
        try configure(node, configuration)
        let stream =
            "host=\(source.host) port=\(source.port) user=\(Self.superuser) password=\(superuserPassword) application_name=\(node.name)"
        try write(
            "primary_conninfo = '\(stream)'\nprimary_slot_name = '\(node.slot)'\n",
            to: "postgresql.auto.conf",
            of: node
        )
        try write("", to: "standby.signal", of: node)
        try node.start()
        // Those of its time as a primary would keep its WAL for ever.
        try node.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    }

    /// Whether the node streams from that source.
    package func streams(_ node: LocalNode, from source: LocalNode) throws(LocalPostgresFault) -> Bool {
        guard node.process != nil else { return false }
        return try source.execute(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '\(node.name)' AND state = 'streaming'"
        ) != "0"
    }

    /// Returns once the node streams from that source.
    package func waitForStream(
        _ node: LocalNode,
        from source: LocalNode,
        timeout: Duration = .seconds(120)
    ) throws(LocalPostgresFault) {
        try node.waitUntil("\(node.name) to stream from \(source.name)", within: timeout) {
            () throws(LocalPostgresFault) in try streams(node, from: source)
        }
    }

    private func configure(_ node: LocalNode, _ configuration: String) throws(LocalPostgresFault) {
        try write(configuration, to: "postgresql.conf", of: node)
    }

    /// Writes a file of the node's data directory anew.
    func write(_ text: String, to name: String, of node: LocalNode) throws(LocalPostgresFault) {
        let file = "\(node.dataDirectory)/\(name)"
        try TextFile.write(text, to: file, mode: 0o600)
        try ClusterDirectory(path: directory).give(file)
    }
}
