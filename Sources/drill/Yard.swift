import Foundation
import Glibc
import LocalPostgres

/// What a drill works with: a disposable cluster, a queue directory, a configuration and the proxy's process, all of them
/// removed at the end unless the drill failed.
final class Yard {
    struct Plan {
        var replicas = 0
        /// Directory of the queue; nil puts it into the yard.
        var queue: String?
        var maxBytes = "4GiB"
        /// Further lines for the sections of the configuration.
        var queueExtra = ""
        var streams = "  apirequests: { table: public.apirequests }"
        var retention = "min_age: 0s"
        /// SQL that the database is given before `forebay init`.
        var preparation = ""
    }

    static let database = "apm"

    let directory: String
    let cluster: LocalCluster
    let plan: Plan
    let programs: String
    let httpPort: Int
    let tcpPort: Int
    let opsPort: Int
    private(set) var proxy: ChildProcess?
    private var endings: [() -> Void] = []

    var queueDirectory: String { plan.queue ?? "\(directory)/queue" }
    var configuration: String { "\(directory)/forebay.yaml" }
    var proxyLog: String { "\(directory)/forebay.log" }
    var ingest: LoopbackHTTP { LoopbackHTTP(port: httpPort) }
    var ops: LoopbackHTTP { LoopbackHTTP(port: opsPort) }

    /// - Parameter programs: the directory of `forebay` and `drill-agents`.
    init(_ plan: Plan, programs: String) throws {
        self.plan = plan
        self.programs = programs
        directory = "/var/tmp/forebay-drill-\(getpid())"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        say("starting a cluster of one primary and \(plan.replicas) replicas")
        cluster = try LocalCluster.temporary(ClusterPlan(replicas: plan.replicas))
        httpPort = try LoopbackPort.free()
        tcpPort = try LoopbackPort.free()
        opsPort = try LoopbackPort.free()
        try cluster.primary.execute("CREATE DATABASE \(Self.database)")
        if !plan.preparation.isEmpty { try query(plan.preparation) }
        try writeConfiguration()
        try capture("\(programs)/forebay", ["init", "--config", configuration], environment: administrator)
    }

    /// libpq's environment for the cluster's superuser.
    var administrator: [String: String] {
        [
            "PGHOST": "127.0.0.1", "PGPORT": "\(cluster.primary.port)", "PGUSER": LocalCluster.superuser,
            "PGPASSWORD": cluster.superuserPassword, "PGDATABASE": Self.database,
        ]
    }

    private func writeConfiguration() throws {
        for role in ["writer", "reader"] {
            let file = "\(directory)/\(role)"
            try Data(LocalCluster.randomPassword().utf8).write(to: URL(filePath: file))
            chmod(file, 0o600)
        }
        let nodes = cluster.nodes.map(\.address).joined(separator: ", ")
        let text = """
            queue:
              path: \(queueDirectory)
              max_bytes: \(plan.maxBytes)
            \(plan.queueExtra)
            postgres:
              nodes: [\(nodes)]
              database: \(Self.database)
              writer: { user: apm_writer, password_file: \(directory)/writer }
              reader: { user: apm_reader, password_file: \(directory)/reader }
            streams:
            \(plan.streams)
            retention: { \(plan.retention) }
            ingest: { http: ["127.0.0.1:\(httpPort)"], tcp: ["127.0.0.1:\(tcpPort)"] }
            ops: { listen: "127.0.0.1:\(opsPort)" }

            """
        try Data(text.utf8).write(to: URL(filePath: configuration))
    }

    // MARK: The proxy

    /// Starts the proxy; returns at once.
    func startProxy() throws {
        proxy = try ChildProcess(
            "\(programs)/forebay",
            ["serve", "--config", configuration],
            name: "forebay",
            log: proxyLog
        )
    }

    /// Waits until every stream's table has been read once; from then on the proxy needs PostgreSQL for nothing but delivery.
    func waitForStreams() throws {
        try waitUntil("the streams' tables have been read", within: 30) { ops.get("/readyz")?.status == 200 }
    }

    /// Waits until ingest accepts, and returns how long that took.
    @discardableResult
    func waitForIngest(within seconds: Double = 30) throws -> Duration {
        let begun = ContinuousClock.now
        try waitUntil("ingest accepts", within: seconds) {
            guard proxy?.isRunning == true else { throw DrillFault("the proxy ended by itself; see \(proxyLog)") }
            return ingest.get("/healthz")?.status == 200
        }
        return ContinuousClock.now - begun
    }

    func stopProxy() throws {
        guard let proxy else { return }
        proxy.signal(SIGTERM)
        let status = proxy.wait()
        self.proxy = nil
        guard status == 0 else {
            throw DrillFault("the proxy ended with status \(status) after SIGTERM; see \(proxyLog)")
        }
    }

    /// Waits until the proxy says that nothing is queued any more.
    func waitForDrain(within seconds: Double) throws {
        try waitUntil("the queue is drained", within: seconds) {
            let queued = try self.metric("forebay_queued_events")
            if queued != 0 { usleep(100_000) }
            return queued == 0
        }
    }

    /// The sum of a metric over its labels.
    func metric(_ name: String) throws -> Double {
        guard let answer = ops.get("/metrics"), answer.status == 200 else {
            throw DrillFault("/metrics does not answer; see \(proxyLog)")
        }
        var sum: Double?
        for line in answer.body.split(separator: "\n") where line.hasPrefix(name + " ") || line.hasPrefix(name + "{") {
            sum = (sum ?? 0) + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0)
        }
        guard let sum else { throw DrillFault("there is no metric \(name)") }
        return sum
    }

    // MARK: Counting

    /// Runs one statement as the superuser in the drill's database and returns its output, one row a line.
    @discardableResult
    func query(_ sql: String) throws -> String {
        try capture("psql", ["-XAtqc", sql], environment: administrator)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Has `ending` called when the drill is over, whatever came of it.
    func onRemoval(_ ending: @escaping () -> Void) {
        endings.append(ending)
    }

    /// Ends every process the drill started beside the cluster.
    func endProcesses() {
        for ending in endings { ending() }
        endings = []
        if let proxy, proxy.isRunning { proxy.crash() }
    }

    /// Removes everything the drill made.
    func remove() throws {
        endProcesses()
        try cluster.remove()
        try FileManager.default.removeItem(atPath: directory)
    }
}

/// A line of progress on standard error.
func say(_ text: String) {
    FileHandle.standardError.write(Data("drill: \(text)\n".utf8))
}
