import ProvingGround

/// A backlog into PostgreSQL.
final class Drain: Scenario {
    static let name = "drain"
    static let title = "A full queue into PostgreSQL"
    static let method = """
        A queue of a million events drains into `apirequests` with its indexes, two lanes, one primary. Beside it a bare client \
        copies the very same rows, read out of the same queue: in the same order, on as many connections. Each begins with an \
        empty table and after a checkpoint; both tables are compared by a digest of every row.
        """
    static let measures = [Measure.rows, .cpu, .memory]
    static let charts = [Measure.rows]
    static let goals = [
        Goal(measure: .rows, rule: .ratio(to: "bare COPY", atLeast: 1)),
        Goal(measure: .cpu, rule: .atMost(0.4)),
    ]

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        yard = try Yard(.benchmark, programs: conditions.programs)
        let backlog = Backlog(yard, events: conditions.events)
        try await backlog.fill()
        contenders = [ForebayDrain(backlog), BareCopyDrain(backlog)]
    }
}

extension Yard.Plan {
    /// A primary alone, with room in its log so that no checkpoint is forced in the middle of a measurement, and without
    /// autovacuum, which would strike at some rounds and spare others.
    static var benchmark: Yard.Plan {
        var plan = Yard.Plan()
        plan.maxBytes = "32GiB"
        plan.postgres = [
            "shared_buffers": "'512MB'", "max_wal_size": "'8GB'", "checkpoint_timeout": "'30min'",
            "autovacuum": "off", "track_commit_timestamp": "on",
        ]
        return plan
    }
}
