import ArgumentParser
import LocalPostgres
import ProvingGround

/// The queue's disk is put back to an older copy, while PostgreSQL has the rows of all that came after it.
struct OldImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "old-image",
        abstract: "The queue directory is restored from an old copy; new events get offsets that the ledger has passed."
    )

    @OptionGroup var options: DrillOptions

    @Flag(help: "Kill the proxy on the old image before it can look at the ledger; then somebody has to decide.")
    var killed = false

    func run() throws {
        try options.run("old-image", Yard.Plan()) { yard, pause in
            var fleets: [AgentFleet] = []
            func send(_ name: String, milliseconds: ClosedRange<UInt64>) throws {
                let fleet = try AgentFleet(yard, options, number: UInt64(fleets.count))
                fleets.append(fleet)
                pause.wait(milliseconds: milliseconds)
                print("\(name): \(try fleet.finish())")
            }
            try yard.startProxy()
            try yard.waitForStreams()
            try send("before the copy", milliseconds: 500...1000)
            try yard.waitForDrain(within: 300)
            try yard.stopProxy()
            let image = "\(yard.directory)/image"
            try capture("cp", ["-a", yard.queueDirectory, image])
            let before = try capture("cat", ["\(image)/IDENTITY"])

            try yard.startProxy()
            try yard.waitForStreams()
            try send("after the copy", milliseconds: 1500...2000)
            try yard.waitForDrain(within: 300)
            try yard.stopProxy()
            try capture("rm", ["-rf", yard.queueDirectory])
            try capture("mv", [image, yard.queueDirectory])

            // PostgreSQL is away at first, so that the used offsets are given out again before any claim.
            try yard.cluster.primary.stop(.fast)
            try yard.startProxy()
            try yard.waitForIngest()
            try send("on the old image", milliseconds: 500...1000)
            if killed {
                yard.proxy?.crash()
                try yard.startProxy()
                try yard.waitForIngest()
            }
            try yard.cluster.primary.start()
            if killed { try decide(yard) }
            try send("after the claim", milliseconds: 1000...1500)
            try yard.waitForDrain(within: 300)
            let identity = try capture("cat", ["\(yard.queueDirectory)/IDENTITY"])
            guard identity != before else { throw YardFault("the queue kept its id, and with it the used offsets") }
            return try fleets[3].count(after: Array(fleets.prefix(3)))
        }
    }

    /// The rows that the killed proxy took came after the image, which only this drill knows.
    private func decide(_ yard: Yard) throws {
        var old: [String] = []
        try waitUntil("the status is there", within: 30) {
            old = try yard.status()?.lanes.map(\.name) ?? []
            return !old.isEmpty
        }
        try waitUntil("the lanes are held", within: 60) {
            let lanes = try yard.status()?.lanes.filter { old.contains($0.name) } ?? []
            return lanes.contains { $0.state.hasSuffix("held") }
                && lanes.allSatisfy { $0.state.hasSuffix("held") || $0.state.hasSuffix("retired") }
        }
        try capture("\(yard.programs)/forebay", ["lanes", "resume", "--replay", "--config", yard.configuration])
    }
}
