import LocalPostgres
import ProvingGround

/// What it costs to follow what the replicas hold.
final class Tracking: Scenario {
    static let name = "tracking"
    static let title = "A full queue into PostgreSQL, with and without following the replicas"
    static let method = """
        A queue of a million events drains into `apirequests` with its indexes, two lanes, a primary with two replicas that stream all the \
        time. In one round the proxy knows all three nodes and has to see every row on both replicas before it leaves the queue; in the \
        other it knows the primary alone, and asks nobody. Each begins with an empty table, after a checkpoint, and with replicas that have \
        replayed everything; both tables are compared by a digest of every row.
        """
    static let measures = [Measure.rows, .cpu, .memory]
    static let charts = [Measure.rows]
    static let goals = [Goal(measure: .rows, contender: tracked, rule: .ratio(to: untracked, atLeast: 0.98))]

    private static let tracked = "replicas followed"
    private static let untracked = "primary alone"

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        var plan = Yard.Plan.benchmark
        plan.replicas = 2
        yard = try Yard(plan, programs: conditions.programs)
        let backlog = Backlog(yard, events: conditions.events)
        try await backlog.fill()
        contenders = [
            ForebayDrain(
                backlog,
                name: Self.tracked,
                note: "three nodes are known, both replicas are required: trimmed is what both show"
            ),
            ForebayDrain(
                backlog,
                name: Self.untracked,
                note: "one node is known, the same replicas stream from it unasked: trimmed is what is committed",
                nodes: [yard.primary.address]
            ),
        ]
    }
}
