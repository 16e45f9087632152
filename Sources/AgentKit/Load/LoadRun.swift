import CScheduling
import NIOCore
import NIOPosix

/// `forebay bench`: runs a load plan and reports what came of it.
package struct LoadRun: Sendable {
    package var plan: LoadPlan
    /// The server's processes, for their use of processor and memory; empty if that is not wanted.
    package var processes: [Int]

    package init(plan: LoadPlan, processes: [Int] = []) {
        self.plan = plan
        self.processes = processes
    }

    /// Runs the plan; returns after its end and the answers that were waited for.
    package func run() async throws -> LoadReport {
        let requests = PreparedRequests(plan: plan)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: plan.threads)
        for (number, loop) in group.makeIterator().enumerated() {
            let staysPut = plan.rate == nil
            loop.execute {
                // Agents elsewhere would not wait for the processors of the machine that is measured. Where it can't be had, they do. In an
                // open loop a late start counts as the server's delay, so it goes before PostgreSQL as ingest's own threads do; in a
                // closed one it would push aside those whom it waits for.
                _ = forebay_set_slice(500_000, staysPut ? 0 : 5)
                // Nor would they be drawn to the processor that answers them: the kernel puts a thread beside the one that wakes it, where
                // in a closed loop both take turns while another processor has nothing to do. An open loop has to be on time, wherever.
                if staysPut { _ = forebay_keep_processor(UInt32(number)) }
            }
        }
        // A little ahead, so that every connection stands when the schedule begins.
        let start = NIODeadline.now() + .milliseconds(200)
        let workers = (0..<plan.threads).map { _ in
            LoadWorker(plan: plan, requests: requests, eventLoop: group.next(), start: start)
        }
        let connections = (0..<plan.connections).map { number in
            LoadConnection(worker: workers[number % workers.count], number: number)
        }
        async let usage = observe(from: start)
        for (number, connection) in connections.enumerated() {
            workers[number % workers.count].eventLoop.execute { connection.connect() }
        }
        let patience = TimeAmount(plan.end + plan.patience)
        for (number, connection) in connections.enumerated() {
            workers[number % workers.count].eventLoop.scheduleTask(deadline: start + patience) { connection.giveUp() }
        }
        for connection in connections {
            try await connection.whenFinished.get()
        }
        var statistics = LoadStatistics()
        for worker in workers {
            statistics.add(try await worker.eventLoop.submit { worker.statistics }.get())
        }
        let observed = try await usage
        try await group.shutdownGracefully()
        return LoadReport(
            plan: plan,
            statistics: statistics,
            bytesPerRequest: requests.bytesPerRequest,
            usage: observed
        )
    }

    /// Watches both sides over the measured part.
    private func observe(from start: NIODeadline) async throws -> LoadReport.Usage {
        try await sleep(until: start + TimeAmount(plan.warmup))
        let own = ProcessUsage.ownCPU
        let before = ProcessUsage(of: processes)
        var peak = before?.residentBytes ?? 0
        let end = start + TimeAmount(plan.end)
        while NIODeadline.now() < end {
            try await sleep(until: min(end, .now() + .milliseconds(100)))
            peak = max(peak, ProcessUsage(of: processes)?.residentBytes ?? 0)
        }
        let after = ProcessUsage(of: processes)
        var usage = LoadReport.Usage(generatorCPU: ProcessUsage.ownCPU - own)
        if let before, let after {
            usage.proxyCPU = after.cpu - before.cpu
            usage.proxyPeakBytes = peak
        }
        return usage
    }

    private func sleep(until moment: NIODeadline) async throws {
        let left = moment - .now()
        if left > .zero {
            try await Task.sleep(for: .nanoseconds(left.nanoseconds))
        }
    }
}
