import Glibc
import Synchronization

/// A real PostgreSQL cluster on loopback: a primary, and replicas that stream from it. Any thread may use it.
///
/// `temporary` makes one for a test, which ends with ``remove()``, with the process, or, if that was killed, with the next cluster
/// that is made. `PersistentCluster` keeps one across processes.
package final class LocalCluster: Sendable {
    package static let superuser = "postgres"
    /// The role that replicas connect as.
    static let replicator = "replicator"

    /// Where everything of the cluster lies.
    package let directory: String
    package let superuserPassword: String
    package let nodes: [LocalNode]
    private let lock: DirectoryLock?
    private let programs: PostgresPrograms

    /// The node that was made as the primary.
    package var primary: LocalNode { nodes[0] }
    /// The nodes that were made as replicas.
    package var replicas: ArraySlice<LocalNode> { nodes.dropFirst() }

    init(
        directory: String,
        superuserPassword: String,
        ports: [Int],
        programs: PostgresPrograms,
        lock: DirectoryLock? = nil
    ) {
        self.directory = directory
        self.superuserPassword = superuserPassword
        self.programs = programs
        self.lock = lock
        nodes = ports.enumerated().map { index, port in
            LocalNode(
                name: index == 0 ? "primary" : "replica-\(index)",
                port: port,
                directory: directory,
                programs: programs,
                superuserPassword: superuserPassword
            )
        }
    }

    /// Makes and starts a cluster in a temporary directory.
    package static func temporary(_ plan: ClusterPlan = ClusterPlan()) throws(LocalPostgresFault) -> LocalCluster {
        let programs = try PostgresPrograms.find()
        let place = try ClusterDirectory.temporary()
        var ports = plan.ports ?? []
        while plan.ports == nil, ports.count <= plan.replicas {
            let port = try LoopbackPort.free()
            if !ports.contains(port) {
                ports.append(port)
            }
        }
        let cluster = LocalCluster(
            directory: place.directory.path,
            superuserPassword: randomPassword(),
            ports: ports,
            programs: programs,
            lock: place.lock
        )
        Leftovers.note(cluster)
        try cluster.create(plan)
        return cluster
    }

    /// Stops the servers and deletes all their data.
    package func remove() throws(LocalPostgresFault) {
        let place = ClusterDirectory(path: directory)
        place.killServers()
        try place.remove()
        lock?.remove()
    }

    /// Starts every node that does not run, the primary first.
    package func start() throws(LocalPostgresFault) {
        for node in nodes {
            try node.start()
        }
    }

    /// Stops every node that runs, replicas first, so that they have everything that the primary wrote.
    package func stop(_ mode: LocalNode.StopMode = .fast) throws(LocalPostgresFault) {
        for node in nodes.reversed() {
            try node.stop(mode)
        }
    }

    /// Returns once every running replica of the primary has replayed all that the primary has written.
    package func waitForReplicas(timeout: Duration = .seconds(30)) throws(LocalPostgresFault) {
        let target = try primary.execute("SELECT pg_current_wal_lsn()")
        for replica in replicas where replica.process != nil {
            try replica.waitUntil("\(replica.name) to replay \(target)", within: timeout) {
                () throws(LocalPostgresFault) in
                try replica.execute("SELECT pg_last_wal_replay_lsn() >= '\(target)'") == "t"
            }
        }
    }

    /// Makes a node anew as a replica of another one, whatever it was before, and starts it.
    package func rebuild(_ node: LocalNode, from source: LocalNode) throws(LocalPostgresFault) {
        try node.kill()
        let file = "\(node.dataDirectory)/postgresql.conf"
        guard let configuration = TextFile.read(file) else { throw LocalPostgresFault("\(file) can't be read") }
        try Subprocess.forPostgres.require("/bin/rm", ["-rf", node.dataDirectory])
        let slot = node.name.replacing("-", with: "_")
        try source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '\(slot)' AND NOT active"
        )
        try Subprocess.forPostgres.require(
            programs.path("pg_basebackup"),
            [
                "-D", node.dataDirectory, "-h", LocalNode.host, "-p", "\(source.port)", "-U", Self.superuser,
                "-X", "stream", "-c", "fast", "--no-sync", "-C", "-S", slot, "-R",
            ],
            environment: ["PGPASSWORD": superuserPassword, "PGAPPNAME": node.name]
        )
        try TextFile.write(configuration, to: file, mode: 0o600)
        try ClusterDirectory(path: directory).give(file)
        try node.start()
    }

    /// A password of 128 random bits.
    package static func randomPassword() -> String {
        String(UInt64.random(in: 0 ... .max), radix: 36) + String(UInt64.random(in: 0 ... .max), radix: 36)
    }

    // MARK: Making

    /// Makes the primary and its replicas from nothing, and starts them.
    func create(_ plan: ClusterPlan) throws(LocalPostgresFault) {
        let place = ClusterDirectory(path: directory)
        let passwordFile = "\(directory)/superuser-password"
        try TextFile.write(superuserPassword + "\n", to: passwordFile, mode: 0o600)
        try place.give(passwordFile)
        try Subprocess.forPostgres.require(
            programs.path("initdb"),
            [
                "-D", primary.dataDirectory, "-U", Self.superuser, "-A", "scram-sha-256", "--pwfile", passwordFile,
                "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            ]
        )
        try configure(primary, plan)
        try primary.start()
        guard !replicas.isEmpty else { return }
        let replicatorPassword = Self.randomPassword()
        try primary.execute("CREATE ROLE \(Self.replicator) LOGIN REPLICATION PASSWORD '\(replicatorPassword)'")
        for (index, replica) in replicas.enumerated() {
            try make(replica, slot: "replica_\(index + 1)", password: replicatorPassword)
            try configure(replica, plan)
            try replica.start()
        }
    }

    private func make(_ replica: LocalNode, slot: String, password: String) throws(LocalPostgresFault) {
        try Subprocess.forPostgres.require(
            programs.path("pg_basebackup"),
            [
                "-D", replica.dataDirectory, "-h", LocalNode.host, "-p", "\(primary.port)", "-U", Self.replicator,
                "-X", "stream", "-c", "fast", "--no-sync", "-C", "-S", slot, "-R",
            ],
            environment: ["PGPASSWORD": password, "PGAPPNAME": replica.name]
        )
    }

    /// Writes the node's part of its configuration. What `pg_basebackup -R` and `ALTER SYSTEM` wrote stands apart, in
    /// `postgresql.auto.conf`.
    private func configure(_ node: LocalNode, _ plan: ClusterPlan) throws(LocalPostgresFault) {
        let file = "\(node.dataDirectory)/postgresql.conf"
        try TextFile.write(
            plan.configuration() + "port = \(node.port)\ncluster_name = '\(node.name)'\n",
            to: file,
            mode: 0o600
        )
        try ClusterDirectory(path: directory).give(file)
    }
}

/// Temporary clusters of this process, removed when it exits.
private enum Leftovers {
    private static let clusters = Mutex<[LocalCluster]>([])

    static func note(_ cluster: LocalCluster) {
        let isFirst = clusters.withLock { clusters in
            clusters.append(cluster)
            return clusters.count == 1
        }
        if isFirst {
            atexit { Leftovers.removeAll() }
        }
    }

    private static func removeAll() {
        for cluster in clusters.withLock({ $0 }) {
            try? cluster.remove()
        }
    }
}
