import ProvingGround

/// In at one end and out at the other.
final class Steady: Scenario {
    static let name = "steady"
    static let title = "100,000 events a second, accepted and delivered"
    static let method = """
        Requests of 100 events start at fixed times, 100,000 events a second in all, on 8 connections, while everything is \
        delivered into `apirequests` with its indexes. Latency counts from the time at which a request was meant to start. Growth is \
        the slope of the queue's length, looked at twice a second; 1 % of the rate counts as none. PostgreSQL has autovacuum, \
        checkpoints and `shared_buffers` as it comes, and `backend_flush_after` 512 kB, since it shares its disk.
        """
    static let measures = [Measure.events, .p50, .p99, .memory, .cpu, .longest, .growth, .stolen]
    static let charts = [Measure.p99]
    static let goals = [
        Goal(measure: .events, rule: .atLeast(99_000)),
        Goal(measure: .p99, rule: .atMost(10)),
        Goal(measure: .memory, rule: .atMost(96)),
        Goal(measure: .growth, rule: .atMost(1000)),
    ]

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        var plan = Yard.Plan.benchmark
        plan.postgres["autovacuum"] = "on"
        plan.postgres["checkpoint_timeout"] = "'5min'"
        // What the backends write lies in the kernel for 30 seconds, and then goes to the disk in one piece, ahead of every sync; so do the
        // pages of zeros that a table grows by, as long as what is in them stands in PostgreSQL's buffers alone.
        plan.postgres["backend_flush_after"] = "'512kB'"
        plan.postgres["shared_buffers"] = "'128MB'"
        yard = try Yard(plan, programs: conditions.programs)
        let load = Load(
            rate: 100_000,
            connections: 8,
            batch: 100,
            warmup: 3,
            duration: conditions.duration ?? 300,
            currentTimes: true
        )
        contenders = [ForebayDelivering(yard, load)]
    }
}
