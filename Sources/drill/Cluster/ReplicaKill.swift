import ArgumentParser
import LocalPostgres
import ProvingGround

/// A replica dies: what it does not show stays in the queue, and goes once it is back.
struct ReplicaKill: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replica-kill",
        abstract: "kill -9 of a replica: the queue is held, and trimmed again once the replica is back."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the replica is killed.")
    var rounds = 2

    func run() throws {
        var plan = Exercise.plan()
        // Trimming goes by segments, which fill up soon.
        plan.queueExtra = "  segment_bytes: 1MiB"
        try options.exercise("replica-kill (\(rounds) rounds)", plan, padding: 400) { exercise in
            var held: [Int] = []
            try exercise.rounds(rounds) { _ in
                let replica = try exercise.candidate()
                let begun = try Marks(exercise)
                try waitUntil("the queue is trimmed", within: 120) { try Marks(exercise).trimmed > begun.trimmed }
                exercise.pause.wait(milliseconds: 0...1000)
                try replica.kill()
                try waitUntil("the proxy says that the queue is held", within: 120) {
                    try exercise.status().cluster.replication == "holding"
                }
                let away = try Marks(exercise)
                try waitUntil("rows land while the replica is away", within: 120) {
                    try Marks(exercise).committed > away.committed + 5_000
                }
                let later = try Marks(exercise)
                guard later.replicated == away.replicated, later.trimmed <= away.replicated else {
                    throw YardFault("with the replica away the marks went from \(away) to \(later)")
                }
                try replica.start()
                try waitUntil("the queue is trimmed again", within: 120) {
                    let marks = try Marks(exercise)
                    return try marks.trimmed > later.replicated && exercise.status().cluster.replication == "whole"
                }
                held.append(later.committed - later.replicated)
            }
            print("events held for the replica, by round: \(held.map(String.init).joined(separator: " "))")
        }
    }

    /// Watermarks, summed over the lanes.
    private struct Marks: CustomStringConvertible {
        var committed: Int
        var replicated: Int
        var trimmed: Int

        init(_ exercise: Exercise) throws {
            let lanes = try exercise.status().lanes
            committed = lanes.map(\.committed).reduce(0, +)
            replicated = lanes.map { $0.replicated ?? 0 }.reduce(0, +)
            trimmed = lanes.map(\.trimmed).reduce(0, +)
        }

        var description: String { "committed \(committed), replicated \(replicated), trimmed \(trimmed)" }
    }
}
