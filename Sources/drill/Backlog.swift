import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// PostgreSQL is away while a large backlog grows on disk; the proxy is killed in front of it, and everything drains afterwards.
struct Backlog: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "PostgreSQL away for a backlog of several GiB on disk.")

    @OptionGroup var options: DrillOptions

    @Option(help: "The backlog, in GiB on disk.")
    var gib = 5.0

    @Option(help: "Bytes of text that does not compress, in every event, so that fewer rows make the backlog.")
    var padding = 2000

    func run() throws {
        var plan = Yard.Plan()
        plan.maxBytes = "\(Int(gib * 2) + 2)GiB"
        try options.run("backlog of \(gib) GiB", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            try yard.cluster.primary.stop(.fast)
            let fleet = try AgentFleet(yard, options, padding: padding)
            let goal = gib * 1_073_741_824
            var peak = 0
            var reported = 0.0
            let begun = ContinuousClock.now
            try waitUntil("the backlog is there", within: 3600) {
                peak = max(peak, yard.proxy?.peakResidentBytes ?? 0)
                let bytes = try yard.metric("forebay_queue_bytes")
                if bytes - reported > 536_870_912 {
                    reported = bytes
                    say("\(Int(bytes / 1_048_576)) MiB on disk, peak RSS \(peak / 1_048_576) MiB")
                }
                usleep(200_000)
                return bytes >= goal
            }
            print(
                "backlog of \(gib) GiB in \(Int((ContinuousClock.now - begun) / .seconds(1))) s, peak RSS \(peak / 1_048_576) MiB"
            )
            print("before the kill: \(try fleet.finish())")

            var starts: [Duration] = []
            for _ in 1...5 {
                yard.proxy?.crash()
                try yard.startProxy()
                starts.append(try yard.waitForIngest())
            }
            print("accepting again after a kill: \(summary(of: starts))")
            for start in starts { try yard.checkStart(start) }

            let later = try AgentFleet(yard, options, rate: 2_000, number: 1)
            try yard.cluster.primary.start()
            let drain = ContinuousClock.now
            sleep(20)
            print("while draining: \(try later.finish())")
            try yard.waitForDrain(within: 3600)
            print("drained in \(Int((ContinuousClock.now - drain) / .seconds(1))) s")
            peak = max(peak, yard.proxy?.peakResidentBytes ?? 0)
            print("peak RSS \(peak / 1_048_576) MiB")
            guard peak < 96 << 20 else { throw YardFault("peak RSS is \(peak / 1_048_576) MiB, not below 96 MiB") }
            return try later.count(after: [fleet])
        }
    }
}
