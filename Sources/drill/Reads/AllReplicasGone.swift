import ArgumentParser
import LocalPostgres
import ProvingGround

/// Every replica dies: the primary is read from, until one is back.
struct AllReplicasGone: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all-replicas-gone",
        abstract: "kill -9 of both replicas under pgbench: the primary is read from until they are back."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times.")
    var rounds = 3

    func run() throws {
        try options.underRead("all-replicas-gone (\(rounds) rounds)") { reading in
            let replicas = Array(reading.yard.cluster.replicas)
            try reading.exercise.rounds(rounds) { _ in
                for replica in replicas { try reading.awaitReads(on: replica) }
                for replica in replicas {
                    try replica.kill()
                    reading.exercise.pause.wait(milliseconds: 0...500)
                }
                try reading.awaitReads(on: reading.yard.primary)
                try reading.awaitReads()
                let client = try reading.yard.readClient()
                guard try client.query("SELECT pg_is_in_recovery()") == [["f"]],
                    client.parameters["in_hot_standby"] == "off"
                else {
                    throw YardFault("it is not the primary that is read from")
                }
                for replica in replicas { try replica.start() }
                try waitUntil("a replica is read from", within: 120) {
                    try client.query("SELECT pg_is_in_recovery()") == [["t"]]
                }
            }
        }
    }
}
