import AgentKit
import Glibc
import ProvingGround

/// The load of a scenario, the same for each contender.
struct Load {
    /// Events a second; nil for a closed loop.
    var rate: Double?
    var connections: Int
    var batch: Int
    var warmup = 1.0
    var duration: Double
    /// Events carry the time at which they are sent.
    var currentTimes = false

    /// Runs it against a port of loopback; throws if a request failed.
    func run(port: Int, processes: [pid_t]) async throws -> LoadReport {
        let plan = LoadPlan(
            host: "127.0.0.1",
            port: port,
            rate: rate,
            connections: connections,
            batch: batch,
            warmup: .seconds(warmup),
            duration: .seconds(duration),
            currentTimes: currentTimes,
            eventTime: .now,
            run: .random(in: 0...UInt64.max)
        )
        let report = try await LoadRun(plan: plan, processes: processes.map(Int.init)).run()
        guard report.isClean else { throw YardFault("requests failed:\n\(report.text)") }
        return report
    }

    func sample(_ report: LoadReport) -> Sample {
        var sample: Sample = [
            Measure.events.key: report.eventsPerSecond,
            Measure.requests.key: report.eventsPerSecond / Double(batch),
            Measure.p50.key: report.latency.p50,
            Measure.p99.key: report.latency.p99,
        ]
        sample[Measure.cpu.key] = report.proxyCPUSecondsPerMillion
        sample[Measure.cpuEach.key] = report.proxyCPUSecondsPerMillion.map { $0 * Double(batch) }
        sample[Measure.generator.key] = report.generatorCPUSecondsPerMillion.map { $0 * Double(batch) }
        sample[Measure.memory.key] = report.proxyPeakMebibytes
        return sample
    }
}
