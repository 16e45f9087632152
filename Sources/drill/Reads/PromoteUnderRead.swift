import ArgumentParser
import LocalPostgres
import ProvingGround

/// The primary dies and a replica takes over while both replicas are read from.
struct PromoteUnderRead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote-under-read",
        abstract: "kill -9 of the primary, and a promotion, under pgbench: no error, and no read by receipt is stale."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times.")
    var rounds = 10

    func run() throws {
        try options.underRead("promote-under-read (\(rounds) rounds)") { reading in
            let exercise = reading.exercise
            try exercise.rounds(rounds) { _ in
                let old = reading.yard.primary
                let candidate = try exercise.candidate()
                let others = reading.yard.cluster.nodes.filter { $0 !== candidate }
                exercise.pause.wait(milliseconds: 200...1000)
                try old.kill()
                // With no primary, reads go on.
                try reading.awaitReads()
                try exercise.promote(candidate)
                for node in others { try exercise.takeBack(node) }
                for node in others { try reading.awaitReads(on: node) }
            }
        }
    }
}
