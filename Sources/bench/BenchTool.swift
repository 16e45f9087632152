import ArgumentParser
import Foundation
import ProvingGround

/// The whole beside its limits, in one run: each scenario lets its contenders take turns, round by round, on the same machine.
@main
struct BenchTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure Forebay beside what limits it.",
        discussion: """
            Every scenario starts a cluster and a proxy of its own on free ports of loopback. The contenders take turns, round by \
            round; of each figure the median is shown with its minimum and maximum. Results go to a directory, per scenario a \
            .json and .svg files, and results.md over all scenarios that the directory holds.

            Exit codes: 0; 1 if a request failed or the rows do not add up; 64 wrong usage. A goal that is missed is shown, and \
            changes nothing.

              make bench
              make bench ONLY=single,drain ROUNDS=3
              make bench ONLY=accept CONTENDERS=forebay DURATION=3
              make bench RECORD=1        into Benchmarks/results, for the repository
            """
    )

    @Option(help: "Scenarios, with commas. Default: all of them.")
    var only: String?

    @Option(help: "Contenders, with commas. Default: all of them.")
    var contenders: String?

    @Option(help: "Rounds.")
    var rounds = 5

    @Option(help: "Seconds that a load is measured. Default: the scenario's own.")
    var duration: Double?

    @Option(help: "Events that are drained.")
    var events = 1_000_000

    @Option(help: "Directory of the program forebay.")
    var programs = ".build/release"

    @Option(help: "Directory of the contenders' configurations and programs.")
    var rivals = "Benchmarks/contenders"

    @Option(help: "Directory of the results.")
    var results = ".forebay/bench"

    @Option(help: "The command that made this run, for the record.")
    var command = "make bench"

    func validate() throws {
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds must be 1 to 100") }
        guard (duration ?? 1) >= 0.5, (duration ?? 1) <= 3600 else {
            throw ValidationError("--duration must be 0.5 to 3600")
        }
        guard (10_000...100_000_000).contains(events) else {
            throw ValidationError("--events must be 10000 to 100000000")
        }
        for name in names(only) ?? [] where !Self.scenarios.contains(where: { $0.name == name }) {
            let all = Self.scenarios.map { $0.name }.joined(separator: ", ")
            throw ValidationError("there is no scenario \(name); there are \(all)")
        }
    }

    static var scenarios: [any Scenario.Type] {
        [Accept.self, Single.self, Drain.self, Tracking.self, Steady.self, Trickle.self, Reads.self]
    }

    func run() async throws {
        Interruption.exitInOrder()
        let conditions = Conditions(
            duration: duration,
            events: events,
            programs: URL(filePath: programs).path(),
            rivals: URL(filePath: rivals).path()
        )
        let directory = try ResultsDirectory(results)
        let wanted = names(only)
        for scenario in Self.scenarios where wanted?.contains(scenario.name) ?? true {
            say("\(scenario.name): \(scenario.title)")
            var outcome = try await measure(scenario, conditions)
            outcome.command = command
            print(outcome.text)
            try directory.store(outcome)
        }
        try directory.render()
        say("results in \(results)/results.md")
    }

    private func measure(_ type: any Scenario.Type, _ conditions: Conditions) async throws -> Outcome {
        let scenario = try await type.init(conditions)
        let yard = scenario.yard
        let directory = yard.directory
        Interruption.also { try? FileManager.default.removeItem(atPath: directory) }
        do {
            let outcome = try await play(scenario)
            try yard.remove()
            return outcome
        } catch {
            say("\(type.name) FAILED: \(error)")
            say("what it left: \(yard.directory)")
            yard.endProcesses()
            throw ExitCode.failure
        }
    }

    private func play(_ scenario: any Scenario) async throws -> Outcome {
        let type = type(of: scenario)
        let chosen = names(contenders)
        let playing = scenario.contenders.filter { chosen?.contains($0.name) ?? true }
        guard !playing.isEmpty else {
            throw YardFault("the contenders are \(scenario.contenders.map(\.name).joined(separator: ", "))")
        }
        var outcome = Outcome(scenario, playing, machine: Machine.description(scenario.yard))
        for round in 1...rounds {
            for (index, contender) in playing.enumerated() {
                let sample = try await contender.round(isLast: round == rounds)
                outcome.contenders[index].rounds.append(sample)
                let figures = type.measures.compactMap { measure in
                    sample[measure.key].map { "\(measure.title) \(measure.text($0))" }
                }
                say("round \(round), \(contender.name): \(figures.joined(separator: ", "))")
            }
        }
        outcome.judge(type.goals)
        return outcome
    }

    private func names(_ list: String?) -> Set<String>? {
        list.map { Set($0.split(separator: ",").map(String.init)) }
    }
}
