import Foundation
import Glibc
package import LocalPostgres

/// What drills and benchmarks work with: a disposable cluster, a queue directory, a configuration and the proxy's process, all of
/// them removed at the end by whoever made the yard.
package final class Yard {
    package struct Plan {
        package var replicas: Int
        /// The links between the nodes, and between them and the proxy, can be cut.
        package var hasLinks = false
        /// Lines of `postgresql.conf`, each a name and a value as it is written there.
        package var postgres: [String: String] = [:]
        /// Directory of the queue; nil puts it into the yard.
        package var queue: String?
        package var maxBytes = "4GiB"
        /// Further lines for the sections of the configuration.
        package var queueExtra = ""
        package var streams = "  apirequests: { table: public.apirequests }"
        package var retention = "min_age: 0s"
        /// Behind the address of the section `read`, each with a comma before it.
        package var readExtra = ""
        /// SQL that the database is given before `forebay init`.
        package var preparation = ""
        /// How long the proxy may take from its start until ingest accepts, where a drill looks at that.
        package var startLimit = Duration.seconds(1)

        package init(replicas: Int = 0) {
            self.replicas = replicas
        }
    }

    package static let database = "apm"

    package let directory: String
    package let cluster: LocalCluster
    package let plan: Plan
    package let programs: String
    package let httpPort: Int
    package let tcpPort: Int
    package let opsPort: Int
    package let readPort: Int
    /// The node that takes writes; a drill that promotes another one says so.
    package var primary: LocalNode
    package private(set) var proxy: ChildProcess?
    /// Variables that the proxy is started with besides those of this process.
    package var proxyEnvironment: [String: String] = [:]
    /// Where the proxy is told that the nodes are.
    private var nodeAddresses: [String]
    private var endings: [() -> Void] = []

    package private(set) var queueDirectory: String
    package var configuration: String { "\(directory)/forebay.yaml" }
    package var proxyLog: String { "\(directory)/forebay.log" }
    package var ingest: LoopbackHTTP { LoopbackHTTP(port: httpPort) }
    package var ops: LoopbackHTTP { LoopbackHTTP(port: opsPort) }

    /// - Parameter programs: the directory of `forebay` and `drill-agents`.
    package init(_ plan: Plan, programs: String) throws {
        self.plan = plan
        self.programs = programs
        directory = "/var/tmp/forebay-yard-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        say("starting a cluster of one primary and \(plan.replicas) replicas")
        queueDirectory = plan.queue ?? "\(directory)/queue"
        cluster = try LocalCluster.temporary(
            ClusterPlan(replicas: plan.replicas, hasLinks: plan.hasLinks, settings: plan.postgres)
        )
        primary = cluster.primary
        nodeAddresses = cluster.nodes.map(\.address)
        httpPort = try LoopbackPort.free()
        tcpPort = try LoopbackPort.free()
        opsPort = try LoopbackPort.free()
        readPort = try LoopbackPort.free()
        try cluster.primary.execute("CREATE DATABASE \(Self.database)")
        if !plan.preparation.isEmpty { try query(plan.preparation) }
        try writeConfiguration()
        try capture("\(programs)/forebay", ["init", "--config", configuration], environment: administrator)
    }

    /// libpq's environment for the cluster's superuser.
    package var administrator: [String: String] {
        [
            "PGHOST": primary.host, "PGPORT": "\(primary.port)", "PGUSER": LocalCluster.superuser,
            "PGPASSWORD": cluster.superuserPassword, "PGDATABASE": Self.database,
        ]
    }

    private func writeConfiguration() throws {
        for role in ["writer", "reader"] {
            let file = "\(directory)/\(role)"
            if FileManager.default.fileExists(atPath: file) { continue }
            try Data(LocalCluster.randomPassword().utf8).write(to: URL(filePath: file))
            chmod(file, 0o600)
        }
        let text = """
            queue:
              path: \(queueDirectory)
              max_bytes: \(plan.maxBytes)
            \(plan.queueExtra)
            postgres:
              nodes: [\(nodeAddresses.joined(separator: ", "))]
              database: \(Self.database)
              writer: { user: apm_writer, password_file: \(directory)/writer }
              reader: { user: apm_reader, password_file: \(directory)/reader }
            streams:
            \(plan.streams)
            retention: { \(plan.retention) }
            ingest: { http: ["127.0.0.1:\(httpPort)"], tcp: ["127.0.0.1:\(tcpPort)"] }
            read: { listen: ["127.0.0.1:\(readPort)"]\(plan.readExtra) }
            ops: { listen: "127.0.0.1:\(opsPort)" }

            """
        try Data(text.utf8).write(to: URL(filePath: configuration))
    }

    /// From here on the proxy is another one, with a queue directory of its own, at the same addresses.
    package func useQueue(_ path: String) throws {
        queueDirectory = path
        try writeConfiguration()
    }

    /// From its next start on the proxy knows these nodes, in this order.
    package func useNodes(_ addresses: [String]) throws {
        nodeAddresses = addresses
        try writeConfiguration()
    }

    // MARK: The proxy

    /// Starts the proxy; returns at once.
    package func startProxy() throws {
        proxy = try ChildProcess(
            "\(programs)/forebay",
            ["serve", "--config", configuration],
            name: "forebay",
            environment: proxyEnvironment,
            log: proxyLog
        )
    }

    /// Waits until every stream's table has been read once; from then on the proxy needs PostgreSQL for nothing but delivery.
    package func waitForStreams() throws {
        try waitUntil("the streams' tables have been read", within: 120) { ops.get("/readyz")?.status == 200 }
    }

    /// Waits until ingest accepts, and returns how long that took.
    @discardableResult
    package func waitForIngest(within seconds: Double = 120) throws -> Duration {
        let begun = ContinuousClock.now
        try waitUntil("ingest accepts", within: seconds) {
            guard proxy?.isRunning == true else { throw YardFault("the proxy ended by itself; see \(proxyLog)") }
            return ingest.get("/healthz")?.status == 200
        }
        return ContinuousClock.now - begun
    }

    /// Holds the time that a start took against the plan.
    package func checkStart(_ start: Duration) throws {
        guard start < plan.startLimit else {
            throw YardFault("the proxy accepted only after \(start), not within \(plan.startLimit); see \(proxyLog)")
        }
    }

    package func stopProxy() throws {
        guard let proxy else { return }
        proxy.signal(SIGTERM)
        let status = proxy.wait()
        self.proxy = nil
        guard status == 0 else {
            throw YardFault("the proxy ended with status \(status) after SIGTERM; see \(proxyLog)")
        }
    }

    /// Waits until the proxy says that nothing is queued any more.
    package func waitForDrain(within seconds: Double) throws {
        try waitUntil("the queue is drained", within: seconds) {
            let queued = try self.metric("forebay_queued_events")
            if queued != 0 { usleep(100_000) }
            return queued == 0
        }
    }

    /// The sum of a metric over its labels. The ops port opens after the ingest ports, so that it is given a moment to.
    package func metric(_ name: String) throws -> Double {
        var body = ""
        try waitUntil("/metrics answers", within: 10) {
            guard let answer = ops.get("/metrics"), answer.status == 200 else { return false }
            body = answer.body
            return true
        }
        var sum: Double?
        for line in body.split(separator: "\n") where line.hasPrefix(name + " ") || line.hasPrefix(name + "{") {
            sum = (sum ?? 0) + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0)
        }
        guard let sum else { throw YardFault("there is no metric \(name)") }
        return sum
    }

    // MARK: Counting

    /// Runs one statement as the superuser in the yard's database and returns its output, one row a line.
    @discardableResult
    package func query(_ sql: String) throws -> String {
        try capture("psql", ["-XAtqc", sql], environment: administrator)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Has `ending` called when the work in the yard is over, whatever came of it.
    package func onRemoval(_ ending: @escaping () -> Void) {
        endings.append(ending)
    }

    /// Ends every process that was started beside the cluster.
    package func endProcesses() {
        for ending in endings { ending() }
        endings = []
        if let proxy, proxy.isRunning { proxy.crash() }
    }

    /// Removes everything that was made here.
    package func remove() throws {
        endProcesses()
        try cluster.remove()
        try FileManager.default.removeItem(atPath: directory)
    }
}

/// A line of progress on standard error.
package func say(_ text: String) {
    let program = CommandLine.arguments[0].split(separator: "/").last ?? ""
    FileHandle.standardError.write(Data("\(program): \(text)\n".utf8))
}
