import ArgumentParser
import LocalPostgres
import ProvingGround

/// The primary dies, and a replica that lacks the last seconds takes over.
struct PrimaryKillPromote: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "primary-kill-promote",
        abstract: "kill -9 of the primary; a replica that lacks the last seconds is promoted."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the primary is killed.")
    var rounds = 3

    func run() throws {
        try options.exercise("primary-kill-promote (\(rounds) rounds)") { exercise in
            var tails: [Int] = []
            try exercise.rounds(rounds) { _ in
                let old = exercise.yard.primary
                let candidate = try exercise.candidate()
                exercise.pause.wait(milliseconds: 500...1500)
                try candidate.stopReceiving()
                exercise.pause.wait(milliseconds: 500...2000)
                try exercise.awaitProgress()
                let committed = try exercise.ledger(of: old)
                try old.kill()
                let kept = try exercise.ledger(of: candidate)
                guard committed > kept else {
                    throw YardFault("PostgreSQL lost nothing: \(committed) and \(kept) rows")
                }
                tails.append(committed - kept)
                try exercise.promote(candidate)
                try exercise.takeBack(old)
            }
            print(
                "rows that PostgreSQL lost and Forebay sent again, by round: \(tails.map(String.init).joined(separator: " "))"
            )
        }
    }
}
