import ArgumentParser
import Glibc
import SimulationKit

@main
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the write path of Forebay in seeded worlds of faults.",
        discussion: """
            Agents, a proxy, its disk and PostgreSQL are simulated around the code that `forebay serve` runs. Every acknowledged event must be in \
            PostgreSQL exactly once, or in the dead letters exactly once. The page "Simulation" of SimulationKit tells what befalls a world.

            EXAMPLES
              simulate --seeds 10000                  ten thousand worlds
              simulate --seeds 1000000 --progress     a million, telling how far it is
              simulate --seed 4711                    one world; its history, if it breaks the promise
              simulate --seed 4711 --trace            its history in any case
              simulate --plant retried-sync           what a planted fault looks like when it is found

            The status is 0 if the promise held in all worlds, 1 if not, 2 if some kind of fault never occurred in a thousand worlds or more.
            """
    )

    @Option(help: "Worlds to run.")
    var seeds: UInt64 = 1_000

    @Option(help: "The first seed.")
    var first: UInt64 = 0

    @Option(help: "Run the world of this seed alone.")
    var seed: UInt64?

    @Flag(help: "Print the world's history; with --seed.")
    var trace = false

    @Option(help: "Plant a fault: \(Plant.allCases.map(\.rawValue).joined(separator: ", ")).")
    var plant: Plant?

    @Option(help: "Threads that run worlds.")
    var jobs = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    @Flag(help: "Tell on standard error how far it is, every ten seconds.")
    var progress = false

    func validate() throws {
        if seeds < 1 { throw ValidationError("--seeds is 0; at least 1 is needed") }
        if !(1...256).contains(jobs) { throw ValidationError("--jobs is \(jobs), expected 1 to 256") }
        if trace, seed == nil { throw ValidationError("--trace wants the world's --seed") }
    }

    func run() throws {
        if let seed { return try runOne(seed) }
        let (result, wasStopped) = SeedRun(
            campaign: Campaign(seeds: first..<first + seeds, plant: plant),
            seeds: seeds,
            jobs: jobs,
            tellsProgress: progress,
            stopsAtFirst: plant != nil
        ).run()
        if let failure = result.failures.first {
            print(Report.history(of: failure.seed, plant: plant))
            print(Report.verdict(of: failure, plant: plant))
            if plant == nil { print(Report.figures(result)) }
            throw ExitCode(1)
        }
        print(Report.figures(result))
        guard plant == nil, !wasStopped, !result.missing.isEmpty else { return }
        for event in result.missing { print("never happened: \(event.label)") }
        throw ExitCode(2)
    }

    private func runOne(_ seed: UInt64) throws {
        let outcome = World(seed: seed, plant: plant).run()
        if trace || outcome.violation != nil { print(Report.history(of: seed, plant: plant)) }
        print(Report.verdict(of: outcome, plant: plant))
        if outcome.violation != nil { throw ExitCode(1) }
    }
}

extension Plant: ExpressibleByArgument {}
