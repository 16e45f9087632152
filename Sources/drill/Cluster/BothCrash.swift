import ArgumentParser
import Glibc
import LocalPostgres
import ProvingGround

/// The power fails where proxy and primary are: both are gone at once, and come back, or a replica takes the primary's place.
struct BothCrash: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "both-crash",
        abstract: "kill -9 of proxy and primary together; both start again, or a replica takes over."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times both are killed; every second time a replica is promoted.")
    var rounds = 4

    func run() throws {
        try options.exercise("both-crash (\(rounds) rounds)") { exercise in
            let yard = exercise.yard
            try exercise.rounds(rounds) { round in
                let old = yard.primary
                let candidate = try exercise.candidate()
                let promotes = round % 2 == 0
                exercise.pause.wait(milliseconds: 500...1500)
                if promotes { try candidate.stopReceiving() }
                exercise.pause.wait(milliseconds: 200...1500)
                yard.proxy?.signal(SIGKILL)
                try old.kill()
                yard.proxy?.wait()
                exercise.pause.wait(milliseconds: 0...500)
                try yard.startProxy()
                try yard.waitForIngest(within: 60)
                if promotes {
                    try exercise.promote(candidate)
                    try exercise.takeBack(old)
                } else {
                    try old.start()
                }
                try exercise.awaitProgress()
            }
        }
    }
}
