import Glibc

/// One PostgreSQL server on loopback, with its data directory.
///
/// Everything that can change is read from the data directory and the process table each time, so that any thread may call, and so
/// that a server which somebody else stopped is seen to be stopped.
package final class LocalNode: Sendable {
    /// `primary`, `replica-1`, …: what the node was when it was made.
    package let name: String
    package let port: Int
    /// The directory that `initdb` or `pg_basebackup` filled.
    package let dataDirectory: String
    /// The server's log.
    package let logFile: String
    /// The address that other nodes and this process reach it by.
    package let host: String
    private let programs: PostgresPrograms
    private let superuserPassword: String
    /// Runs programs where the node is on loopback.
    let postgres: Subprocess

    /// How a server is stopped (PostgreSQL manual, `pg_ctl`).
    package enum StopMode: String, Sendable {
        /// Waits for clients to leave.
        case smart
        /// Ends all sessions, then writes a checkpoint.
        case fast
        /// Ends all processes at once, as a crash would; the next start recovers.
        case immediate
    }

    init(
        name: String,
        port: Int,
        directory: String,
        programs: PostgresPrograms,
        superuserPassword: String,
        host: String = LocalNode.host,
        namespace: String? = nil
    ) {
        self.name = name
        self.port = port
        dataDirectory = "\(directory)/\(name)"
        logFile = "\(directory)/\(name).log"
        self.programs = programs
        self.superuserPassword = superuserPassword
        self.host = host
        var postgres = Subprocess.forPostgres
        postgres.namespace = namespace
        self.postgres = postgres
    }

    /// Loopback: where a node is for the programs in its own network, and for this process too unless the plan `hasLinks`.
    package static let host = "127.0.0.1"

    /// `127.0.0.1:port`, or the address that it has in a network of its own.
    package var address: String { "\(host):\(port)" }

    /// The name of the replication slot that it has on its primary.
    var slot: String { name.replacing("-", with: "_") }

    // MARK: Life

    /// Starts the server and returns once it accepts connections; does nothing if it runs.
    package func start(timeout: Duration = .seconds(180)) throws(LocalPostgresFault) {
        if process != nil { return }
        let result = try postgres.run(
            programs.path("pg_ctl"),
            ["start", "-D", dataDirectory, "-l", logFile, "-w", "-t", "\(timeout.components.seconds)"]
        )
        guard result.status == 0 else {
            throw LocalPostgresFault("\(name) did not start: \(result.errors)\(lastLogLines())")
        }
    }

    /// Stops the server and returns once it is gone; does nothing if it does not run.
    package func stop(_ mode: StopMode = .fast, timeout: Duration = .seconds(180)) throws(LocalPostgresFault) {
        guard process != nil else { return }
        let result = try postgres.run(
            programs.path("pg_ctl"),
            ["stop", "-D", dataDirectory, "-m", mode.rawValue, "-w", "-t", "\(timeout.components.seconds)"]
        )
        guard result.status == 0 || process == nil else {
            throw LocalPostgresFault("\(name) did not stop: \(result.errors)\(lastLogLines())")
        }
    }

    package func restart(_ mode: StopMode = .fast) throws(LocalPostgresFault) {
        try stop(mode)
        try start()
    }

    /// SIGKILL to the server and all its processes; returns once they are gone.
    package func kill() throws(LocalPostgresFault) {
        guard let process else { return }
        let processes = signalAll(SIGKILL)
        try waitUntil("\(name) to be gone", within: .seconds(30)) { !processes.contains(where: ProcessTable.runs) }
        // Until somebody reaps it, the dead server's number is taken, and the next start would believe that it lives.
        try? waitUntil("\(name) to be reaped", within: .seconds(2)) { Glibc.kill(process, 0) != 0 }
        if Glibc.kill(process, 0) == 0 {
            unlink("\(dataDirectory)/postmaster.pid")
        }
    }

    /// SIGSTOP to the server and all its processes: connections stay open and nobody answers.
    package func pause() {
        signalAll(SIGSTOP)
    }

    /// SIGCONT, the end of a ``pause()``.
    package func resume() {
        signalAll(SIGCONT)
    }

    /// Ends a replica's stream for good: what its primary writes from here on does not reach it. Returns once the receiver is gone.
    package func stopReceiving() throws(LocalPostgresFault) {
        try execute("ALTER SYSTEM SET primary_conninfo = ''")
        try execute("SELECT pg_reload_conf()")
        try waitUntil("\(name) to stop receiving", within: .seconds(60)) { () throws(LocalPostgresFault) in
            try execute("SELECT count(*) FROM pg_stat_wal_receiver") == "0"
        }
    }

    /// Whether it is, or starts as, a replica.
    package var isReplica: Bool { access("\(dataDirectory)/standby.signal", F_OK) == 0 }

    /// Ends the recovery of a replica, which becomes a primary; returns once it takes writes.
    package func promote(timeout: Duration = .seconds(180)) throws(LocalPostgresFault) {
        try postgres.require(
            programs.path("pg_ctl"),
            ["promote", "-D", dataDirectory, "-w", "-t", "\(timeout.components.seconds)"]
        )
    }

    /// The process id of the running server; nil if it does not run.
    package var process: Int32? {
        guard let first = TextFile.read("\(dataDirectory)/postmaster.pid")?.split(separator: "\n").first,
            let number = Int32(first), ProcessTable.workingDirectory(of: number) == dataDirectory
        else { return nil }
        return number
    }

    @discardableResult
    private func signalAll(_ signal: Int32) -> [Int32] {
        guard let process else { return [] }
        // The server first, so that it starts no more children and does not react to the end of one.
        Glibc.kill(process, signal)
        let children = ProcessTable.children(of: process)
        for child in children {
            Glibc.kill(child, signal)
        }
        return [process] + children
    }

    // MARK: Use

    /// Runs SQL as the superuser with psql and returns what it prints: fields separated by `|`, one line per row.
    @discardableResult
    package func execute(
        _ sql: String,
        database: String = "postgres",
        user: String = LocalCluster.superuser,
        password: String? = nil
    ) throws(LocalPostgresFault) -> String {
        let text = try postgres.require(
            programs.path("psql"),
            [
                "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", Self.host, "-p", "\(port)", "-U", user,
                "-d", database, "-c", sql,
            ],
            environment: ["PGPASSWORD": password ?? superuserPassword, "PGCONNECT_TIMEOUT": "10"]
        )
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    /// Polls until `condition` holds.
    package func waitUntil(
        _ what: String,
        within timeout: Duration,
        _ condition: () throws(LocalPostgresFault) -> Bool
    ) throws(LocalPostgresFault) {
        let end = ContinuousClock.now + timeout
        while try !condition() {
            guard ContinuousClock.now < end else {
                throw LocalPostgresFault("waited \(timeout) in vain for \(what): \(lastLogLines())")
            }
            usleep(10_000)
        }
    }

    /// The end of the server's log, for messages.
    package func lastLogLines(_ count: Int = 15) -> String {
        let lines = (TextFile.read(logFile) ?? "").split(separator: "\n")
        return lines.suffix(count).map { "\n  \($0)" }.joined()
    }
}
