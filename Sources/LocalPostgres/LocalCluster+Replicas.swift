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

    /// Brings a replica to the end of the WAL that it has, and stops it, as `pg_rewind` wants it. It receives no more meanwhile: what it got and did not replay
    /// would be beyond the point of which `pg_rewind` knows, and be replayed after it, on the way that the node is to be taken off.
    package func settle(_ node: LocalNode) throws(LocalPostgresFault) {
        try node.kill()
        try write("", to: "postgresql.auto.conf", of: node)
        try node.start()
        try node.stop(.fast)
    }

    /// Returns once the node streams from that source, and has replayed what the source had at the call. One that went its own way streams too, for a moment,
    /// and replays nothing.
    package func waitForStream(
        _ node: LocalNode,
        from source: LocalNode,
        timeout: Duration = .seconds(120)
    ) throws(LocalPostgresFault) {
        let target = try source.execute("SELECT pg_current_wal_lsn()")
        let streams = """
            SELECT count(*) FROM pg_stat_replication
            WHERE application_name = '\(node.name)' AND state = 'streaming' AND replay_lsn >= '\(target)'
            """
        try node.waitUntil("\(node.name) to replay \(target) of \(source.name)", within: timeout) {
            () throws(LocalPostgresFault) in try source.execute(streams) != "0"
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
