import SimulationKit

/// What is printed at the end.
enum Report {
    /// Runs the world again to tell its story.
    static func history(of seed: UInt64, plant: Plant?) -> String {
        let world = World(seed: seed, plant: plant, traced: true)
        _ = world.run()
        return world.history.entries.map(\.description).joined(separator: "\n")
    }

    static func verdict(of outcome: World.Outcome, plant: Plant?) -> String {
        let again = "simulate --seed \(outcome.seed) --trace" + (plant.map { " --plant \($0.rawValue)" } ?? "")
        guard let violation = outcome.violation else {
            return "seed \(outcome.seed): the promise held, \(outcome.steps) steps, digest \(hex(outcome.digest))"
        }
        return """

            seed \(outcome.seed): \(violation)
            at step \(outcome.steps); again: \(again)
            """
    }

    static func figures(_ result: Campaign.Result) -> String {
        var lines = Tally.Event.allCases.map { event in
            let count = String(result.tally[event])
            return String(repeating: " ", count: max(1, 12 - count.count)) + count + "  " + event.label
        }
        lines.append("\(result.worlds) worlds, \(result.steps) steps, digest \(hex(result.digest))")
        if result.failureCount > 0 {
            let seeds = result.failures.prefix(20).map { String($0.seed) }.joined(separator: ", ")
            lines.append("the promise was broken in \(result.failureCount) worlds; the first seeds: \(seeds)")
        }
        return lines.joined(separator: "\n")
    }

    private static func hex(_ digest: UInt64) -> String {
        let digits = String(digest, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
