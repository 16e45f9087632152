import ArgumentParser
import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// What every drill can be told.
struct DrillOptions: ParsableArguments {
    @Option(help: "Directory of the programs forebay and drill-agents.")
    var programs = ".build/release"

    @Option(help: "How many agents send.")
    var agents = 8

    @Option(help: "Events per second of all agents together.")
    var rate = 20_000

    @Option(help: "Seed of all that is random; printed, so that a run can be repeated.")
    var seed = UInt64.random(in: 0...UInt64(UInt32.max))

    @Option(help: "Seconds from a start of the proxy until ingest accepts, at most, where a drill looks at that.")
    var acceptWithin = 1.0

    @Flag(help: "Leave the directories of the drill in place.")
    var keep = false

    @Option(help: ArgumentHelp("File for the figures, as JSON.", visibility: .hidden))
    var report: String?

    /// Status of a drill that can't be run on this machine, or by this user (sysexits.h: EX_UNAVAILABLE).
    static let unavailable = ExitCode(69)

    /// Runs a drill in a yard of its own, prints what it came to, and clears the yard away if the drill succeeded.
    func run(_ name: String, _ plan: Yard.Plan, _ drill: (Yard, inout Pause) throws -> DrillReport?) throws {
        say("\(name), seed \(seed)")
        var plan = plan
        plan.startLimit = .seconds(acceptWithin)
        let yard = try Yard(plan, programs: URL(filePath: programs).path())
        let directory = yard.directory
        if !keep { Interruption.also { try? FileManager.default.removeItem(atPath: directory) } }
        var pause = Pause(seed: seed)
        do {
            let found = try drill(yard, &pause)
            if let found { try tell(found) }
            try yard.stopProxy()
        } catch {
            say("\(name) FAILED: \(error)")
            // The cluster's directory goes with this process.
            for node in yard.cluster.nodes { _ = try? capture("cp", [node.logFile, yard.directory]) }
            say("what it left: \(yard.directory); again, up to the timing of everything: --seed \(seed)")
            yard.endProcesses()
            throw ExitCode.failure
        }
        if !keep { try yard.remove() }
        say("\(name) passed")
    }

    private func tell(_ found: DrillReport) throws {
        print(found)
        if let report { try JSONEncoder().encode(found).write(to: URL(filePath: report)) }
        guard found.passes else { throw YardFault("\(found)") }
    }

    /// Has the process continue where links between nodes can be cut. To be called first; ends the drill where that is not possible.
    func prepareForLinks() throws {
        do throws(LocalPostgresFault) {
            try LocalCluster.prepareForLinks()
        } catch {
            say("not possible here: \(error)")
            throw Self.unavailable
        }
    }
}

/// Pauses of random length, from a seed.
struct Pause {
    /// The state of a SplitMix64 generator (Steele, Lea and Flood 2014).
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func within(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)
    }

    mutating func chance(_ percent: UInt64) -> Bool { within(1...100) <= percent }

    /// Sleeps for a time in the range, so that a fault strikes at a moment nobody chose.
    mutating func wait(milliseconds range: ClosedRange<UInt64>) {
        usleep(UInt32(within(range) * 1000))
    }
}
