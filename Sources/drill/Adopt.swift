import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// A proxy is killed in front of a backlog, with requests under way and dead letters waiting; another one, with a queue directory of its own, takes its
/// directory over, and is killed while it does.
struct Adopt: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "kill -9 a proxy in front of a backlog; another one takes over its queue directory."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many proxies die, one after the other.")
    var rounds = 3

    @Option(help: "How many rows are refused in each round, and retried at the end.")
    var refused = 50

    func run() throws {
        var plan = Yard.Plan()
        plan.streams += "\n  readings: { table: public.readings }"
        plan.preparation =
            "CREATE TABLE readings (id bigint PRIMARY KEY, level int CONSTRAINT rising CHECK (level >= 0))"
        try options.run("adopt (\(rounds) rounds)", plan) { yard, pause in
            var fleets: [AgentFleet] = []
            try yard.startProxy()
            try yard.waitForStreams()
            for round in 1...rounds {
                try refuse(round, yard)
                let fleet = try AgentFleet(yard, options, number: UInt64(round))
                pause.wait(milliseconds: 300...800)
                try yard.cluster.primary.stop(.fast)
                pause.wait(milliseconds: 300...1500)
                yard.proxy?.crash()

                let dead = yard.queueDirectory
                try yard.useQueue("\(yard.directory)/queue-\(round)")
                print("round \(round): \(try takeOver(dead, yard, &pause))")
                try closedForGood(dead, yard)
                try yard.startProxy()
                try yard.waitForIngest()
                pause.wait(milliseconds: 200...500)
                try yard.cluster.primary.start()
                pause.wait(milliseconds: 500...1000)
                print("round \(round): \(try fleet.finish())")
                fleets.append(fleet)
                try yard.waitForDrain(within: 120)
                try capture("rm", ["-rf", dead])
            }
            try retry(yard)
            try drain(yard)
            return try fleets[rounds - 1].count(after: Array(fleets.prefix(rounds - 1)))
        }
    }

    /// Rows that a constraint refuses: dead letters of the proxy that is about to die.
    private func refuse(_ round: Int, _ yard: Yard) throws {
        let lines = (0..<refused).map { "{\"id\":\(round * 1_000_000 + $0),\"level\":-1}\n" }.joined()
        guard let answer = yard.ingest.post("/v1/ingest/readings", body: lines), answer.status == 200 else {
            throw YardFault("a request was not accepted")
        }
        try yard.waitForDrain(within: 60)
    }

    /// The command is killed at moments that nobody chose, and then carried out; returns what it says.
    private func takeOver(_ dead: String, _ yard: Yard, _ pause: inout Pause) throws -> String {
        var cutShort = 0
        for _ in 1...4 {
            let attempt = try ChildProcess(
                "\(yard.programs)/forebay",
                ["queue", "adopt", dead, "--config", yard.configuration],
                name: "adopt",
                log: "\(yard.directory)/adopt.log"
            )
            pause.wait(milliseconds: 1...40)
            attempt.signal(SIGKILL)
            if attempt.wait() < 0 { cutShort += 1 }
        }
        let text = try capture("\(yard.programs)/forebay", ["queue", "adopt", dead, "--config", yard.configuration])
        return "\(text.trimmingCharacters(in: .whitespacesAndNewlines)); cut short \(cutShort) times"
    }

    /// No proxy starts on what was taken over.
    private func closedForGood(_ dead: String, _ yard: Yard) throws {
        let proxy = try ChildProcess(
            "\(yard.programs)/forebay",
            ["serve", "--config", yard.configuration],
            name: "old",
            environment: ["FOREBAY_QUEUE_PATH": dead],
            log: "\(yard.directory)/old.log"
        )
        try waitUntil("a proxy on the other directory ends", within: 10) { !proxy.isRunning }
        guard proxy.wait() != 0 else { throw YardFault("a proxy on the directory that was taken over ended in order") }
    }

    /// The letters of all the dead proxies are with the last one.
    private func retry(_ yard: Yard) throws {
        let expected = rounds * refused
        let letters = Int(try yard.metric("forebay_dead_letters"))
        guard letters == expected else { throw YardFault("\(letters) dead letters are pending, expected \(expected)") }
        try yard.query("ALTER TABLE readings DROP CONSTRAINT rising")
        try yard.retryReadings()
        try yard.waitForDrain(within: 60)
        let rows = Int(try yard.query("SELECT count(*) FROM readings")) ?? -1
        // One that came twice would be refused by the primary key, and be a letter again.
        let left = Int(try yard.metric("forebay_dead_letters"))
        guard rows == expected, left == 0 else { throw YardFault("\(rows) of \(expected) rows, \(left) letters left") }
        print("refused \(expected), retried and in PostgreSQL \(rows), each once (its id is the primary key)")
    }

    /// The last proxy goes away too: `forebay queue drain` says what is left, and ends when it is nothing.
    private func drain(_ yard: Yard) throws {
        let line = "{\"id\":1,\"level\":1}\n{\"id\":1,\"level\":1}\n"
        try yard.cluster.primary.stop(.fast)
        guard let answer = yard.ingest.post("/v1/ingest/readings", body: line), answer.status == 200 else {
            throw YardFault("a request was not accepted")
        }
        try yard.stopProxy()
        var statuses = [try drainStatus(yard, "--timeout", "1")]
        try yard.cluster.primary.start()
        statuses.append(try drainStatus(yard, "--timeout", "60"))
        try capture("\(yard.programs)/forebay", ["dlq", "discard", "--all", "--config", yard.configuration])
        statuses.append(try drainStatus(yard, "--timeout", "60"))
        // PostgreSQL away; one of the two rows refused by the primary key; nothing left.
        guard statuses == [1, 3, 0] else { throw YardFault("drain ended with \(statuses), expected [1, 3, 0]") }
        let there = try yard.query("SELECT count(*) FROM readings WHERE id = 1")
        guard there == "1" else { throw YardFault("\(there) rows of the one that was drained") }
        print("drained: status 1 without PostgreSQL, 3 with a dead letter left, 0 with nothing left")
    }

    private func drainStatus(_ yard: Yard, _ arguments: String...) throws -> Int32 {
        try ChildProcess(
            "\(yard.programs)/forebay",
            ["queue", "drain", "--config", yard.configuration] + arguments,
            name: "drain",
            log: "\(yard.directory)/drain.log"
        ).wait()
    }
}
