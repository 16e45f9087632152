import ArgumentParser
import LocalPostgres
import ProvingGround

/// Maintenance as it is meant to be: the primary is stopped in order, a replica takes over, the old primary comes back as a replica, and the
/// same the other way round.
struct Switchover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A clean stop of the primary, a promotion, the old primary back by pg_rewind, and back again."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times there and back.")
    var rounds = 2

    func run() throws {
        try options.exercise("switchover (\(rounds) rounds)") { exercise in
            let first = exercise.yard.primary
            try exercise.rounds(rounds) { _ in
                for _ in ["there", "back"] {
                    let old = exercise.yard.primary
                    let candidate = try exercise.candidate()
                    exercise.pause.wait(milliseconds: 500...1500)
                    try old.stop(.fast)
                    exercise.pause.wait(milliseconds: 0...500)
                    try exercise.promote(candidate)
                    exercise.pause.wait(milliseconds: 200...1000)
                    try exercise.takeBack(old)
                }
                guard exercise.yard.primary === first else { throw YardFault("the first primary is not back") }
            }
            // A primary that is stopped in order sends everything to its replicas first.
            let resent = try exercise.status().delivery.resentRows
            guard resent == 0 else { throw YardFault("\(resent) rows had to be sent again") }
        }
    }
}
