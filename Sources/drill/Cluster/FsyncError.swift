import ArgumentParser
import Glibc
import LocalPostgres
import ProvingGround

/// The disk of the queue fails now and then: a failed write or sync is final for its segment, and nothing is acknowledged that it held.
struct FsyncError: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsync-error",
        abstract: "EIO from writes and syncs of the queue at random, under load; the proxy is killed now and then.",
        discussion: """
            The calls of the program as it is shipped fail by a library that is preloaded. Agents that get 503 send again. A kill \
            after a failed sync shows whether something was acknowledged that had only stood in the page cache.
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many times the disk is sick for a while.")
    var rounds = 8

    func run() throws {
        var plan = Exercise.plan()
        // Each failure ends a segment.
        plan.queueExtra = "  segment_bytes: 4MiB"
        try options.exercise("fsync-error (\(rounds) rounds)", plan, hasSickDisk: true) { exercise in
            guard let disk = exercise.disk else { preconditionFailure("it was asked for") }
            try exercise.rounds(rounds) { round in
                exercise.pause.wait(milliseconds: 200...800)
                let before = disk.failures
                disk.fall(ill: .failSome(EIO, oneIn: exercise.pause.within(5...100)))
                try waitUntil("calls have failed", within: 120) { disk.failures > before }
                exercise.pause.wait(milliseconds: 200...1000)
                if round % 2 == 0 { try exercise.restartProxy() }
                disk.recover()
                try waitUntil("every lane takes events again", within: 60) {
                    try exercise.status().lanes.allSatisfy { $0.state != "read-only" }
                }
                try exercise.awaitProgress()
            }
            print("calls that failed: \(disk.failures)")
            guard exercise.yard.proxy?.isRunning == true else { throw YardFault("the proxy ended") }
        }
    }
}

/// The disk under a yard's queue, which can be made to fail.
final class SickDisk {
    private let faults: SyscallFaults

    /// From the proxy's next start on its calls can fail.
    init(_ yard: Yard) throws {
        faults = try SyscallFaults(programs: yard.programs, file: "\(yard.directory)/calls")
        faults.clear(root: yard.queueDirectory)
        yard.proxyEnvironment = faults.environment
    }

    /// Writes, allocations and syncs of the lanes fail.
    func fall(ill strike: SyscallFaults.Strike) {
        faults.arm(strike, of: [.partial, .syncs], thread: "lane-")
    }

    func recover() {
        faults.heal()
    }

    /// How many calls have failed.
    var failures: Int { faults.failures }
}
