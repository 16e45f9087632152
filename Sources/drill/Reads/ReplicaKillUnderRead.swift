import ArgumentParser
import LocalPostgres
import ProvingGround

/// A replica dies, or hangs, while it is read from: its statements are run again on the other one.
struct ReplicaKillUnderRead: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replica-kill-under-read",
        abstract: "kill -9, or SIGSTOP, of a replica under pgbench: no client sees an error."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times.")
    var rounds = 10

    @Flag(help: "The replica hangs (SIGSTOP) instead.")
    var hang = false

    func run() throws {
        let how = hang ? "hang" : "kill -9"
        try options.underRead("replica-kill-under-read (\(how), \(rounds) rounds)") { reading in
            let replicas = Array(reading.yard.cluster.replicas)
            try reading.exercise.rounds(rounds) { round in
                let replica = replicas[round % replicas.count]
                try reading.awaitReads(on: replica)
                reading.exercise.pause.wait(milliseconds: 0...500)
                if hang {
                    replica.pause()
                    defer { replica.resume() }
                    try waitUntil("the proxy says that \(replica.name) hangs", within: 60) {
                        try reading.exercise.status().state(of: replica.address) == "hung"
                    }
                    try reading.awaitReads()
                } else {
                    try replica.kill()
                    reading.exercise.pause.wait(milliseconds: 0...500)
                    try reading.awaitReads(500)
                    try replica.start()
                }
            }
            // Else nobody would have felt it.
            guard try reading.rerunCount > 0 else { throw YardFault("no statement had to be run again") }
        }
    }
}
