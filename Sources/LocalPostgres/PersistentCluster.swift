import Glibc

/// A cluster that outlives the process that made it: `make run` starts it, and whoever comes next finds it running.
///
/// In the directory that it is given it keeps `cluster.env` (settings for libpq and Forebay, to be read by a shell), `pgpass`, the
/// passwords of Forebay's roles, and `cluster`, with the nodes. Where the user `postgres` can't enter that directory, as below
/// `/root`, `cluster` is a symbolic link to a directory in `/var/tmp`.
package struct PersistentCluster {
    /// Absolute, without symbolic links.
    private let directory: String
    private let place: ClusterDirectory
    private let programs: PostgresPrograms

    package struct Plan: Hashable, Sendable {
        /// The primary's port; the replicas have the ones after it. Ports that are taken are passed over.
        package var port: Int
        package var replicas: Int
        package var database: String
        package var writer: String
        package var reader: String
        package var fsync: Bool

        package init(
            port: Int = 5432,
            replicas: Int = 2,
            database: String = "apm",
            writer: String = "apm_writer",
            reader: String = "apm_reader",
            fsync: Bool = true
        ) {
            self.port = port
            self.replicas = replicas
            self.database = database
            self.writer = writer
            self.reader = reader
            self.fsync = fsync
        }
    }

    /// How a call to ``up(_:progress:)`` found the cluster.
    package enum Outcome: Hashable, Sendable {
        case wasRunning
        /// Its data was there.
        case started
        case made
    }

    /// - Parameter directory: made if it is not there.
    package init(directory: String) throws(LocalPostgresFault) {
        if mkdir(directory, 0o755) != 0, errno != EEXIST {
            throw LocalPostgresFault("\(directory): \(String(cString: strerror(errno)))")
        }
        guard let resolved = realpath(directory, nil) else {
            throw LocalPostgresFault("\(directory): \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        self.directory = String(cString: resolved)
        programs = try PostgresPrograms.find()
        place = try Self.findPlace(in: self.directory)
    }

    /// The file of variables for a shell.
    package var environmentFile: String { "\(directory)/cluster.env" }
    /// Where the nodes' data is.
    package var dataDirectory: String { place.path }

    /// The cluster as it was made; nil if there is none, or none that was finished.
    package func existing() -> LocalCluster? {
        guard let record = TextFile.read(recordFile), let password = TextFile.read("\(place.path)/superuser-password")
        else {
            return nil
        }
        let ports = record.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard !ports.isEmpty else { return nil }
        return LocalCluster(
            directory: place.path,
            superuserPassword: password.trimmingNewline,
            ports: ports,
            programs: programs
        )
    }

    /// Makes the cluster if there is none, and starts what of it does not run.
    package func up(
        _ plan: Plan,
        progress: (String) -> Void = { _ in }
    ) throws(LocalPostgresFault) -> (cluster: LocalCluster, outcome: Outcome) {
        let lock = try exclusive()
        defer { withExtendedLifetime(lock) {} }
        if let cluster = existing() {
            let stopped = cluster.nodes.filter { $0.process == nil }
            for node in stopped where !LoopbackPort.isFree(node.port) {
                throw LocalPostgresFault(
                    "port \(node.port) of \(node.name) is taken by another program; "
                        + "stop that, or make the cluster anew on other ports: down --destroy, then up"
                )
            }
            for node in stopped {
                progress("starting \(node.name) on port \(node.port)")
                try node.start()
            }
            try writeEnvironment(cluster, plan)
            return (cluster, stopped.isEmpty ? .wasRunning : .started)
        }
        return (try make(plan, progress: progress), .made)
    }

    /// Stops the nodes; their data stays.
    package func down(_ mode: LocalNode.StopMode = .fast) throws(LocalPostgresFault) {
        let lock = try exclusive()
        defer { withExtendedLifetime(lock) {} }
        try existing()?.stop(mode)
    }

    /// Stops the nodes and deletes their data.
    package func destroy() throws(LocalPostgresFault) {
        let lock = try exclusive()
        defer { withExtendedLifetime(lock) {} }
        try existing()?.stop(.immediate)
        place.killServers()
        try place.remove()
        for name in ["cluster", "cluster.env", "pgpass"] {
            unlink("\(directory)/\(name)")
        }
    }

    // MARK: Making

    private func make(_ plan: Plan, progress: (String) -> Void) throws(LocalPostgresFault) -> LocalCluster {
        // What an earlier attempt left behind that did not come to its end.
        place.killServers()
        try place.remove()
        let ports = try choosePorts(plan)
        if ports.first != plan.port {
            progress("port \(plan.port) is taken; the cluster gets \(ports.map(String.init).joined(separator: ", "))")
        }
        try place.create()
        try link()
        let cluster = LocalCluster(
            directory: place.path,
            superuserPassword: LocalCluster.randomPassword(),
            ports: ports,
            programs: programs
        )
        progress("making one primary and \(plan.replicas) streaming replicas in \(place.path)")
        try cluster.create(ClusterPlan(replicas: plan.replicas, ports: ports, fsync: plan.fsync))
        let quoted = plan.database.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        try cluster.primary.execute("CREATE DATABASE \"\(quoted)\"")
        try writeEnvironment(cluster, plan)
        // Last: it says that the cluster is whole.
        try TextFile.write(ports.map(String.init).joined(separator: " ") + "\n", to: recordFile, mode: 0o600)
        return cluster
    }

    /// The wanted port and those after it, passing over the ones that are taken.
    private func choosePorts(_ plan: Plan) throws(LocalPostgresFault) -> [Int] {
        let ports = (plan.port..<min(plan.port + 1000, 65536)).lazy.filter { LoopbackPort.isFree($0) }.prefix(
            plan.replicas + 1
        )
        guard ports.count == plan.replicas + 1 else {
            throw LocalPostgresFault("no \(plan.replicas + 1) free ports from \(plan.port) on")
        }
        return Array(ports)
    }

    private func writeEnvironment(_ cluster: LocalCluster, _ plan: Plan) throws(LocalPostgresFault) {
        let passFile = "\(directory)/pgpass"
        var entries = "*:*:*:\(LocalCluster.superuser):\(cluster.superuserPassword)\n"
        var files: [String] = []
        for (name, role) in [("writer", plan.writer), ("reader", plan.reader)] {
            let file = "\(directory)/\(name)-password"
            let password = TextFile.read(file)?.trimmingNewline ?? LocalCluster.randomPassword()
            try TextFile.write(password + "\n", to: file, mode: 0o600)
            entries += "*:*:*:\(role):\(password)\n"
            files.append(file)
        }
        try TextFile.write(entries, to: passFile, mode: 0o600)
        let variables = [
            ("PGHOST", LocalNode.host),
            ("PGPORT", "\(cluster.primary.port)"),
            ("PGUSER", LocalCluster.superuser),
            ("PGDATABASE", plan.database),
            ("PGPASSFILE", passFile),
            ("FOREBAY_POSTGRES_NODES", cluster.nodes.map(\.address).joined(separator: ",")),
            ("FOREBAY_POSTGRES_DATABASE", plan.database),
            ("FOREBAY_POSTGRES_WRITER_USER", plan.writer),
            ("FOREBAY_POSTGRES_WRITER_PASSWORD_FILE", files[0]),
            ("FOREBAY_POSTGRES_READER_USER", plan.reader),
            ("FOREBAY_POSTGRES_READER_PASSWORD_FILE", files[1]),
        ]
        let text = variables.map {
            "\($0.0)='\($0.1.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'\n"
        }
        try TextFile.write(
            "# For a shell: set -a; . this file; set +a\n" + text.joined(),
            to: environmentFile,
            mode: 0o600
        )
    }

    // MARK: Places

    private var recordFile: String { "\(place.path)/ports" }

    private func exclusive() throws(LocalPostgresFault) -> DirectoryLock {
        guard let lock = DirectoryLock("\(directory)/cluster.lock") else {
            throw LocalPostgresFault("another command is at work on the cluster of \(directory)")
        }
        return lock
    }

    /// Points `cluster` to where the nodes are, if that is elsewhere.
    private func link() throws(LocalPostgresFault) {
        let name = "\(directory)/cluster"
        guard place.path != name else { return }
        unlink(name)
        guard symlink(place.path, name) == 0 else {
            throw LocalPostgresFault("\(name): \(String(cString: strerror(errno)))")
        }
    }

    private static func findPlace(in directory: String) throws(LocalPostgresFault) -> ClusterDirectory {
        let canEnter = try Subprocess.forPostgres.run("/usr/bin/test", ["-x", directory]).status == 0
        if canEnter {
            return ClusterDirectory(path: "\(directory)/cluster")
        }
        // FNV-1a: one directory for each path, the same every time.
        let hash = directory.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return ClusterDirectory(path: "/var/tmp/forebay-\(String(hash, radix: 16))")
    }
}

extension String {
    /// The text up to the first line's end.
    fileprivate var trimmingNewline: String {
        String(prefix { $0 != "\n" })
    }
}
