import AgentKit
import ArgumentParser
import ForebayRuntime
import Glibc

struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put a load on a proxy and measure the time to the acknowledgement.",
        discussion: """
            With --rate the load is an open loop: requests have fixed times at which they are meant to start, and latency counts \
            from these, so that a stall shows in every request that it delays. With --rate 0 each connection sends the next \
            request when one is acknowledged, which finds the highest rate.

            Exit codes: 0; 1 if any request failed or was not answered; 64 wrong usage.

            Examples:
              forebay bench --rate 50000 --connections 16 --batch 100 --duration 30
              forebay bench --rate 0 --protocol tcp --port 5170 --depth 4 --json
              forebay bench --rate 1000 --batch 1 --connections 64 --pid $(pidof forebay)
            """
    )

    @Option(help: "Events a second; 0 for as many as are acknowledged.")
    var rate = 10_000.0

    @Option(help: "Connections.")
    var connections = 8

    @Option(help: "Events in a request.")
    var batch = 100

    @Option(help: "Requests under way on one connection at once.")
    var depth = 1

    @Option(help: "Seconds measured.")
    var duration = 10.0

    @Option(help: "Seconds before that.")
    var warmup = 2.0

    @Option(name: .customLong("protocol"), help: "http or tcp.")
    var wire = "http"

    @OptionGroup var source: ConfigurationOptions

    @Option(help: "The proxy's address, an IP address or a name. Default: the configuration's, else 127.0.0.1.")
    var host: String?

    @Option(help: "The proxy's port. Default: the configuration's, else 4318 for http, 5170 for tcp.")
    var port: Int?

    @Option(help: "Stream to send to.")
    var stream = "apirequests"

    @Option(help: "Bearer token. Without it, the environment variable FOREBAY_TOKEN is used, if it is set.")
    var token: String?

    @Flag(help: "Give each request an idempotency key of its own.")
    var keys = false

    @Flag(
        help: "Give each event a trace id of its own, so that rows can be counted: the run's 16 digits, then a number."
    )
    var uniqueTrace = false

    @Option(help: "Threads of the load generator.")
    var threads = 1

    @Option(help: "Seed of the events.")
    var seed: UInt64 = 1

    @Option(help: "Process of the proxy, for its use of processor and memory. Without it, the ops port is asked.")
    var pid: Int?

    @Option(help: "The proxy's ops port. Default: the configuration's, else http://127.0.0.1:8480.")
    var ops: String?

    @Flag(help: "Print the report as JSON.")
    var json = false

    func validate() throws {
        guard rate >= 0, rate < 1e9 else { throw ValidationError("--rate must be 0 to 1000000000") }
        guard (1...10_000).contains(connections) else { throw ValidationError("--connections must be 1 to 10000") }
        guard (1...10_000).contains(batch) else { throw ValidationError("--batch must be 1 to 10000") }
        guard (1...1000).contains(depth) else { throw ValidationError("--depth must be 1 to 1000") }
        guard duration > 0, duration <= 86_400 else {
            throw ValidationError("--duration must be above 0, at most 86400")
        }
        guard warmup >= 0, warmup <= 3600 else { throw ValidationError("--warmup must be 0 to 3600") }
        guard LoadPlan.Wire(rawValue: wire) != nil else { throw ValidationError("--protocol must be http or tcp") }
        guard (1...65_535).contains(port ?? 1) else { throw ValidationError("--port must be 1 to 65535") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads must be 1 to 64") }
    }

    func run() async throws {
        let configuration = try source.loadIfPresent()
        let plan = plan(configuration)
        let process: Int?
        if let pid {
            process = pid
        } else {
            process = await OpsClient(url: opsAddress(configuration)).status()?.pid
        }
        let report = try await LoadRun(plan: plan, processes: process.map { [$0] } ?? []).run()
        print(json ? try jsonLine(report) : report.text)
        if uniqueTrace, !json {
            print(
                "trace ids      begin with \(plan.tracePrefix); \(grouped(report.acknowledgedInAll)) acknowledged in all"
            )
        }
        if !report.isClean { throw ExitCode(1) }
    }

    private func opsAddress(_ configuration: ForebayConfiguration) -> String {
        ops ?? "http://\(configuration.ops.listen.reachable)"
    }

    private func plan(_ configuration: ForebayConfiguration) -> LoadPlan {
        let wire = LoadPlan.Wire(rawValue: wire) ?? .http
        let address = wire == .http ? configuration.ingestAddress : configuration.lineAddress
        return LoadPlan(
            host: host ?? address.host,
            port: port ?? address.port,
            wire: wire,
            stream: stream,
            token: token ?? getenv("FOREBAY_TOKEN").map { String(cString: $0) },
            rate: rate > 0 ? rate : nil,
            connections: connections,
            batch: batch,
            depth: depth,
            warmup: .seconds(warmup),
            duration: .seconds(duration),
            keys: keys,
            uniqueTraces: uniqueTrace,
            threads: threads,
            seed: seed,
            eventTime: .now,
            run: .random(in: 0...UInt64.max)
        )
    }
}
