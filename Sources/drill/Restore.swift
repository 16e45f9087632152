import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// The primary is put back to an older copy of itself, from before rows that its replica has.
struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The primary is restored from a copy; the lanes hold, over a crash too, or fill it up by themselves."
    )

    @OptionGroup var options: DrillOptions

    @Flag(help: "With retention.on_restore: replay, so that nobody has to be asked.")
    var byItself = false

    func run() throws {
        var plan = Yard.Plan(replicas: 1)
        plan.retention = "min_age: 1h, on_restore: \(byItself ? "replay" : "hold")"
        try options.run("restore (\(byItself ? "by itself" : "by order"))", plan) { yard, pause in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options)
            pause.wait(milliseconds: 500...1000)
            let node = yard.primary
            let copy = "\(node.dataDirectory).copy"
            try node.stop(.fast)
            try capture("cp", ["-a", node.dataDirectory, copy])
            try node.start()
            pause.wait(milliseconds: 1500...2000)
            // The replica connects again some seconds after its primary's restart. What it never showed, a failover would explain.
            try yard.cluster.waitForReplicas(timeout: .seconds(180))
            pause.wait(milliseconds: 500...1000)
            try node.kill()
            try capture("rm", ["-rf", node.dataDirectory])
            try capture("mv", [copy, node.dataDirectory])
            try node.start()
            if !byItself {
                try waitUntil("every lane is held", within: 120) { try held(yard).count == 2 }
                let kept = try yard.query("SELECT sum(position) FROM forebay.ledger")
                // Before or after the watermarks that have gone back are written down.
                pause.wait(milliseconds: 500...3500)
                yard.proxy?.crash()
                try yard.startProxy()
                try yard.checkStart(yard.waitForIngest())
                try waitUntil("every lane is held by the next process too", within: 120) { try held(yard).count == 2 }
                pause.wait(milliseconds: 1000...1500)
                guard try yard.query("SELECT sum(position) FROM forebay.ledger") == kept else {
                    throw YardFault("a lane that is held went on")
                }
                print(
                    try capture(
                        "\(yard.programs)/forebay",
                        ["lanes", "resume", "--replay", "--config", yard.configuration]
                    ).trimmingCharacters(in: .whitespacesAndNewlines)
                )
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            print(
                "rows that the restore took back and that were sent again: \(Int(try yard.metric("forebay_resent_rows_total")))"
            )
            return try fleet.count()
        }
    }

    /// The lanes that say so.
    private func held(_ yard: Yard) throws -> [Substring] {
        let status = yard.ops.get("/v1/status")?.body ?? ""
        return status.split(separator: "\n").filter { $0.contains(#""state" : "held""#) }
    }
}
