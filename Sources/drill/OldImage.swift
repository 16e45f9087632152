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

    func run() throws {
        try options.run("old-image", Yard.Plan()) { yard, pause in
            @discardableResult
            func send(_ name: String, seed: UInt64, milliseconds: ClosedRange<UInt64>) throws -> AgentFleet {
                let fleet = try AgentFleet(
                    yard,
                    agents: options.agents,
                    keys: true,
                    rate: options.rate,
                    seed: seed,
                    name: name
                )
                pause.wait(milliseconds: milliseconds)
                print("\(name): \(try fleet.finish())")
                return fleet
            }
            try yard.startProxy()
            try yard.waitForStreams()
            try send("before the copy", seed: options.seed, milliseconds: 500...1000)
            try yard.waitForDrain(within: 60)
            try yard.stopProxy()
            let image = "\(yard.directory)/image"
            try capture("cp", ["-a", yard.queueDirectory, image])
            let before = try capture("cat", ["\(image)/IDENTITY"])

            try yard.startProxy()
            try yard.waitForStreams()
            try send("after the copy", seed: options.seed + 1, milliseconds: 1500...2000)
            try yard.waitForDrain(within: 60)
            try yard.stopProxy()
            try capture("rm", ["-rf", yard.queueDirectory])
            try capture("mv", [image, yard.queueDirectory])

            // PostgreSQL is away at first, so that the used offsets are given out again before any claim.
            try yard.cluster.primary.stop(.fast)
            try yard.startProxy()
            try yard.waitForIngest()
            try send("on the old image", seed: options.seed + 2, milliseconds: 500...1000)
            try yard.cluster.primary.start()
            let last = try send("after the claim", seed: options.seed + 3, milliseconds: 1000...1500)
            try yard.waitForDrain(within: 60)
            let identity = try capture("cat", ["\(yard.queueDirectory)/IDENTITY"])
            guard identity != before else { throw YardFault("the queue kept its id, and with it the used offsets") }
            print(try last.count())
        }
    }
}
