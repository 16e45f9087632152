import ArgumentParser
import Glibc
import LocalPostgres
import ProvingGround

/// The primary is stopped as a crash would stop it, and started again, under load.
struct PostgresRestart: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "postgres-restart",
        abstract: "Immediate stop and restart of PostgreSQL under load."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times PostgreSQL is stopped.")
    var rounds = 20

    func run() throws {
        try options.run("postgres-restart (\(rounds) rounds)", Yard.Plan()) { yard, pause in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options)
            for round in 1...rounds {
                pause.wait(milliseconds: 300...3000)
                try yard.cluster.primary.stop(.immediate)
                pause.wait(milliseconds: 0...1500)
                try yard.cluster.primary.start()
                if round % 5 == 0 { say("round \(round) of \(rounds)") }
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            return try fleet.count()
        }
    }
}
