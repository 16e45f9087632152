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
    let programs: PostgresPrograms
    /// nil where all nodes are on this process's loopback.
    let network: NodeNetwork?

    /// The node that was made as the primary.
    package var primary: LocalNode { nodes[0] }
    /// The nodes that were made as replicas.
    package var replicas: ArraySlice<LocalNode> { nodes.dropFirst() }

    init(
        directory: String,
        superuserPassword: String,
        ports: [Int],
        programs: PostgresPrograms,
        lock: DirectoryLock? = nil,
        network: NodeNetwork? = nil
    ) {
        self.directory = directory
        self.superuserPassword = superuserPassword
        self.programs = programs
        self.lock = lock
        self.network = network
        nodes = ports.enumerated().map { index, port in
            LocalNode(
                name: index == 0 ? "primary" : "replica-\(index)",
                port: port,
                directory: directory,
                programs: programs,
                superuserPassword: superuserPassword,
                host: network == nil ? LocalNode.host : NodeNetwork.address(of: index),
                namespace: network?.namespace(of: index)
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
        let network = try plan.hasLinks ? NodeNetwork(nodes: plan.replicas + 1) : nil
        let cluster = LocalCluster(
            directory: place.directory.path,
            superuserPassword: randomPassword(),
            ports: ports,
            programs: programs,
            lock: place.lock,
            network: network
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
        if network != nil { try admitNetwork() }
        try primary.start()
        guard !replicas.isEmpty else { return }
        let replicatorPassword = Self.randomPassword()
        try primary.execute("CREATE ROLE \(Self.replicator) LOGIN REPLICATION PASSWORD '\(replicatorPassword)'")
        for replica in replicas {
            try make(replica, password: replicatorPassword)
            try configure(replica, plan)
            try replica.start()
        }
    }

    private func make(_ replica: LocalNode, password: String) throws(LocalPostgresFault) {
        try replica.postgres.require(
            programs.path("pg_basebackup"),
            [
                "-D", replica.dataDirectory, "-h", primary.host, "-p", "\(primary.port)", "-U", Self.replicator,
                "-X", "stream", "-c", "fast", "--no-sync", "-C", "-S", replica.slot, "-R",
            ],
            environment: ["PGPASSWORD": password, "PGAPPNAME": replica.name]
        )
    }

    /// Writes the node's part of its configuration. What `pg_basebackup -R` and `ALTER SYSTEM` wrote stands apart, in
    /// `postgresql.auto.conf`.
    private func configure(_ node: LocalNode, _ plan: ClusterPlan) throws(LocalPostgresFault) {
        try write(
            plan.configuration() + "port = \(node.port)\ncluster_name = '\(node.name)'\n",
            to: "postgresql.conf",
            of: node
        )
    }

    /// Lets the nodes in that have addresses of their own. What `initdb` wrote knows loopback only.
    private func admitNetwork() throws(LocalPostgresFault) {
        let rules = TextFile.read("\(primary.dataDirectory)/pg_hba.conf") ?? ""
        let added = ["all", "replication"].map { "host \($0) all \(NodeNetwork.range) scram-sha-256\n" }.joined()
        try write(rules + added, to: "pg_hba.conf", of: primary)
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
