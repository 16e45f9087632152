import ArgumentParser
import Glibc
import ProvingGround

/// No fault at all: what the other drills are measured against.
struct Baseline: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "No fault: load, drain, count.")

    @OptionGroup var options: DrillOptions

    @Option(help: "Seconds of load.")
    var seconds = 10

    @Flag(help: "Delete a row before the count, to see that the count finds it.")
    var sabotage = false

    func run() throws {
        try options.run("baseline", Yard.Plan(replicas: 1)) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options)
            sleep(UInt32(seconds))
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            if sabotage {
                try yard.query("DELETE FROM apirequests WHERE trace_id = (SELECT trace_id FROM apirequests LIMIT 1)")
            }
            return try fleet.count()
        }
    }
}
