import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// The proxy is killed at every file system call of an append, a rotation, a trim and a start, and what it leaves is read back.
struct SyscallKill: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "kill -9 at every file system call of an append, a rotation, a trim and a start.",
        discussion: """
            A counting run finds the calls; then each is struck in a run of its own, on a fresh copy of the directory: SIGKILL \
            instead of the call, SIGKILL once the kernel has done it, and for writes and allocations SIGKILL when an eighth, the \
            half, or all but an eighth is done. Afterwards: 'queue verify' finds no damage, the proxy accepts within 1 s, every \
            acknowledged event is there once and whole, of a request without an answer nothing or everything is, everything \
            sent again doubles nothing, and the books balance.
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "Strike at every so-manieth call only; which, the seed decides.")
    var every = 1

    @Option(help: "Only scenarios whose name begins so.")
    var scenario = ""

    @Flag(help: "Print the calls that are struck.")
    var list = false

    @Option(help: "Show that the check can fail: record spoils what is read back, order hides the syncs.")
    var sabotage: Sabotage?

    enum Sabotage: String, ExpressibleByArgument {
        case record
        case order
    }

    /// What is done at which calls. Once a call that only looks has returned, nothing is different from before the next.
    private static let strikes: [(SyscallFaults.Strike, SyscallFaults.Kinds)] =
        [(.killBefore, .all), (.killAfter, .effects)] + [1, 4, 7].map { (.killWithin(eighths: $0), .partial) }

    func run() throws {
        try options.run("syscall-kill", CrashScenarios.plan()) { yard, pause in
            let range = try CrashRange(yard, programs: yard.programs)
            for scenario in try CrashScenarios(yard: yard, faults: range.faults).make()
            where scenario.name.hasPrefix(self.scenario) {
                try strike(scenario, in: range, &pause)
            }
            print("accepting again after a kill: \(summary(of: range.starts))")
            return nil
        }
    }

    private func strike(_ scenario: CrashScenario, in range: CrashRange, _ pause: inout Pause) throws {
        let counting = try range.run(scenario, .nothing)
        counting.site.crash()
        try OrderLaw.check(counting.calls, forgetting: sabotage == .order ? "fdatasync" : nil)
        try range.readBack(counting)
        let all = range.points(scenario, of: .all, in: counting.calls)
        if list { for point in all { print("  \(point.description)") } }
        let threads = Dictionary(grouping: all, by: \.thread).mapValues(\.count).sorted { $0.key < $1.key }
        var tally: [String] = []
        for (strike, kinds) in Self.strikes {
            let points = range.points(scenario, of: kinds, in: counting.calls)
            let phase = every > 1 ? Int(pause.next() % UInt64(every)) : 0
            var struck = 0
            for (index, point) in points.enumerated() where index % every == phase {
                do {
                    try kill(scenario, strike, at: point, of: kinds, in: range)
                } catch {
                    throw YardFault("\(scenario.name), \(strike) \(point.description): \(error)")
                }
                struck += 1
            }
            tally.append("\(strike) \(struck) of \(points.count)")
        }
        print(
            "\(scenario.name): \(all.count) calls (\(threads.map { "\($0.key) \($0.value)" }.joined(separator: ", "))); "
                + tally.joined(separator: ", ")
        )
        // A walk takes half an hour: whoever writes it to a file wants to see how far it is.
        fflush(nil)
    }

    private func kill(
        _ scenario: CrashScenario,
        _ strike: SyscallFaults.Strike,
        at point: CrashRange.Point,
        of kinds: SyscallFaults.Kinds,
        in range: CrashRange
    ) throws {
        let run = try range.run(scenario, strike, at: point.number, of: kinds, thread: point.thread)
        guard run.hasStruck else { throw YardFault("the call did not come") }
        let ending = run.site.waitForEnd()
        guard ending == -SIGKILL else { throw YardFault("the proxy ended with \(ending)") }
        if sabotage == .record { try spoil(run.site) }
        try range.readBack(run)
    }

    /// Cuts the last segment off behind its header.
    private func spoil(_ site: CrashSite) throws {
        let names = try FileManager.default.subpathsOfDirectory(atPath: "\(site.queue)/lanes").sorted()
        guard let name = names.last(where: { $0.hasSuffix(".segment") }) else { return }
        truncate("\(site.queue)/lanes/\(name)", 512)
    }
}
