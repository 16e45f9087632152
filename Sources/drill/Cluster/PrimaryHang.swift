import ArgumentParser
import LocalPostgres
import ProvingGround

/// The primary hangs, a replica takes over, and the old primary comes back and takes writes.
struct PrimaryHang: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "primary-hang",
        abstract: "SIGSTOP of the primary; a replica is promoted; SIGCONT: the old primary is back, and writable."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the primary hangs.")
    var rounds = 3

    func run() throws {
        try options.exercise("primary-hang (\(rounds) rounds)") { exercise in
            try exercise.rounds(rounds) { _ in
                let old = exercise.yard.primary
                let candidate = try exercise.candidate()
                exercise.pause.wait(milliseconds: 500...1500)
                old.pause()
                exercise.pause.wait(milliseconds: 200...4000)
                try exercise.promote(candidate)
                old.resume()
                exercise.pause.wait(milliseconds: 1000...1500)
                try exercise.checkLeftAlone(old)
                try exercise.takeBack(old)
            }
        }
    }
}
