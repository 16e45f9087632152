import ArgumentParser
import LocalPostgres
import ProvingGround

/// A replica is promoted while the primary goes on: two nodes take writes, and the older timeline must get none.
struct TwoWriters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "two-writers",
        abstract: "A replica that lacks the last second is promoted, the old primary is not stopped: both take writes.",
        discussion: """
            The proxy goes over to the higher timeline and stays there, also when it is killed and started in front of both. What \
            the old primary has got beyond the fork counts for nothing: the new one gets it again.
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times a second writer appears.")
    var rounds = 3

    func run() throws {
        try options.exercise("two-writers (\(rounds) rounds)") { exercise in
            try exercise.rounds(rounds) { _ in
                let yard = exercise.yard
                let old = yard.primary
                let candidate = try exercise.candidate()
                exercise.pause.wait(milliseconds: 500...1500)
                try candidate.stopReceiving()
                exercise.pause.wait(milliseconds: 300...1000)
                try exercise.promote(candidate)
                try exercise.checkLeftAlone(old)
                guard try old.execute("SELECT pg_is_in_recovery()") == "f" else {
                    throw YardFault("\(old.name) does not take writes")
                }
                // What it knows of timelines outlives it.
                try exercise.restartProxy()
                try exercise.awaitProgress()
                try exercise.checkLeftAlone(old)
                let status = try exercise.status()
                guard status.cluster.primary == candidate.address,
                    status.state(of: old.address) == "abandoned primary"
                else {
                    throw YardFault(
                        "the proxy writes to \(status.cluster.primary ?? "no node") and takes \(old.name) for "
                            + "\(status.state(of: old.address) ?? "nothing")"
                    )
                }
                try exercise.takeBack(old)
            }
        }
    }
}
