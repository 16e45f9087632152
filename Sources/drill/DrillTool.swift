import ArgumentParser
import Foundation
import LocalPostgres
import ProvingGround

/// Failures on purpose, on real processes and a real PostgreSQL, with a count at the end.
@main
struct DrillTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill",
        abstract: "Break something under load, then count the rows.",
        discussion: """
            Each drill starts a cluster and a proxy of its own, on free ports of loopback, prints what it found, and ends with
            status 1 if an acknowledged event is missing, or doubled although its batch had an idempotency key.

              make drill NAME=proxy-kill
              make drill NAME=postgres-restart ROUNDS=20
              make drill NAME=backlog GIB=5
            """,
        subcommands: [
            Baseline.self, ProxyKill.self, PostgresRestart.self, Backlog.self, DiskFull.self, Poison.self, Parked.self,
            Nginx.self, Opening.self, SyscallKill.self, SyscallFail.self, PrimaryKillPromote.self, PrimaryHang.self,
            OldImage.self, Restore.self, Adopt.self, CorruptBlock.self,
        ]
    )
}

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

    @Flag(help: "Leave the directories of the drill in place.")
    var keep = false

    /// Runs a drill in a yard of its own, and clears the yard away if the drill succeeded.
    func run(_ name: String, _ plan: Yard.Plan, _ drill: (Yard, inout Pause) throws -> Void) throws {
        say("\(name), seed \(seed)")
        let yard = try Yard(plan, programs: URL(filePath: programs).path())
        var pause = Pause(seed: seed)
        do {
            try drill(yard, &pause)
            try yard.stopProxy()
        } catch {
            say("\(name) FAILED: \(error)")
            say("what it left: \(yard.directory) and \(yard.cluster.directory)")
            yard.endProcesses()
            throw ExitCode.failure
        }
        if !keep { try yard.remove() }
        say("\(name) passed")
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

    /// Sleeps for a time in the range, so that a fault strikes at a moment nobody chose.
    mutating func wait(milliseconds range: ClosedRange<UInt64>) {
        usleep(UInt32((range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)) * 1000))
    }
}
