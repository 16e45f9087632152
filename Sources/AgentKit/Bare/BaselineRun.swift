/// `forebay bench --copy-baseline`: a load through the proxy until the last event is in PostgreSQL, then as many of the same rows
/// by a bare COPY, in turn, so that both meet the same table and the same machine.
package struct BaselineRun: Sendable {
    package var plan: LoadPlan
    package var copy: CopyRun
    package var ops: OpsClient
    package var rounds: Int
    /// How long the proxy may take to deliver what it has acknowledged.
    package var drainLimit: Duration

    package init(plan: LoadPlan, copy: CopyRun, ops: OpsClient, rounds: Int, drainLimit: Duration = .seconds(600)) {
        self.plan = plan
        self.copy = copy
        self.ops = ops
        self.rounds = rounds
        self.drainLimit = drainLimit
    }

    package enum Fault: Error, Hashable, CustomStringConvertible {
        case opsPortSilent
        case notDrained(queued: Int)

        package var description: String {
            switch self {
            case .opsPortSilent: "the proxy's ops port does not answer, and only it knows when everything is delivered"
            case .notDrained(let queued): "the proxy still holds \(grouped(queued)) events"
            }
        }
    }

    /// - Parameter progress: is told what goes on, a line at a time.
    package func run(_ progress: (String) -> Void) async throws -> BaselineReport {
        guard let pid = try await queued().pid else { throw Fault.opsPortSilent }
        try await drain()
        var report = BaselineReport(
            plan: plan,
            rowsPerTransaction: copy.rowsPerTransaction,
            copies: copy.connections.count
        )
        for number in 1...rounds {
            let start = ContinuousClock.now
            let load = try await LoadRun(plan: plan, pid: pid).run()
            let acknowledged = ContinuousClock.now
            let backlog = try await queued().events
            try await drain()
            let end = ContinuousClock.now
            progress("round \(number): \(grouped(load.acknowledgedInAll)) events acknowledged and delivered")
            let copied = try await copy.run(rows: load.acknowledgedInAll)
            let round = BaselineReport.Round(
                load: load,
                backlog: backlog,
                drainSeconds: (end - acknowledged) / .seconds(1),
                deliveredPerSecond: Double(load.acknowledgedInAll) / ((end - start) / .seconds(1)),
                copiedPerSecond: Double(copied.rows) / (copied.elapsed / .seconds(1))
            )
            progress("round \(number): \(grouped(copied.rows)) rows copied")
            report.rounds.append(round)
        }
        return report
    }

    private func queued() async throws -> (pid: Int?, events: Int) {
        guard let status = await ops.status(), let law = status.conservation else { throw Fault.opsPortSilent }
        return (status.pid, law.queued)
    }

    /// Waits until the proxy holds nothing.
    private func drain() async throws {
        let limit = ContinuousClock.now + drainLimit
        while true {
            let events = try await queued().events
            if events == 0 { return }
            if ContinuousClock.now > limit { throw Fault.notDrained(queued: events) }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
