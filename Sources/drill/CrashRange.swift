import Foundation
import Glibc
import ProvingGround

/// Where scenarios are run: counts the calls of one, then strikes at them one by one, each time on a fresh copy of the directory.
final class CrashRange {
    /// A call to strike at: within a thread the order of calls is the same in every run, between threads it is not.
    struct Point {
        var thread: String
        /// Among the calls of that thread that are of the kinds counted, from 1.
        var number: Int
        var call: SyscallFaults.Call

        var description: String { "\(call.name) \(call.path), call \(number) of \(thread)" }
    }

    let yard: Yard
    let faults: SyscallFaults
    private(set) var starts: [Duration] = []

    init(_ yard: Yard, programs: String) throws {
        self.yard = yard
        faults = try SyscallFaults(programs: programs, file: "\(yard.directory)/calls")
    }

    /// What one run of a scenario came to.
    struct Run {
        var site: CrashSite
        var calls: [SyscallFaults.Call]
        var hasStruck: Bool
    }

    /// Runs a scenario on a fresh copy: without a strike until it is over, else until the proxy is dead or the call has failed.
    func run(
        _ scenario: CrashScenario,
        _ strike: SyscallFaults.Strike,
        at number: Int = 0,
        of kinds: SyscallFaults.Kinds = .all,
        thread: String = ""
    ) throws -> Run {
        let site = try makeSite(scenario)
        try site.start(faulty: true) {
            if scenario.warmUp == nil {
                faults.arm(strike, at: number, of: kinds, thread: thread)
            } else {
                faults.arm(.nothing)
            }
        }
        let isUp = try site.waitForIngest()
        // Else it would be a matter of luck whether the lane finds a spare.
        try waitUntil("the housekeeper has looked around", within: 60) {
            !site.isRunning || CrashScenarios.hints(faults.calls) > 0 || (faults.hasStruck && !strike.kills)
        }
        if let warmUp = scenario.warmUp {
            guard isUp, site.isRunning else {
                throw YardFault("the proxy ended before the scenario began; see \(site.log)")
            }
            for request in warmUp {
                site.requests.append(request)
                try site.send(site.requests.count - 1)
            }
            faults.arm(strike, at: number, of: kinds, thread: thread)
        }
        for request in scenario.sends where site.isRunning {
            site.requests.append(request)
            try site.send(site.requests.count - 1)
        }
        // Between the housekeeper's turns a call may come one turn earlier or later, but it comes.
        try waitUntil("the call has come", within: 60) {
            !site.isRunning || (strike == .nothing ? scenario.isOver(faults.calls) : faults.hasStruck && !strike.kills)
        }
        return Run(site: site, calls: faults.calls, hasStruck: faults.hasStruck)
    }

    /// The calls of a scenario that have one of `kinds`, thread by thread.
    func points(_ scenario: CrashScenario, of kinds: SyscallFaults.Kinds, in calls: [SyscallFaults.Call]) -> [Point] {
        let counted = calls.filter { !$0.kinds.isDisjoint(with: kinds) && $0.thread.hasPrefix(scenario.thread) }
        return Dictionary(grouping: counted, by: \.thread).sorted { $0.key < $1.key }.flatMap { thread, calls in
            calls.enumerated().map { Point(thread: thread, number: $0.offset + 1, call: $0.element) }
        }
    }

    /// Reads back what a run left, notes how long the start took, and removes the copy.
    func readBack(_ run: Run, refusedMayStand: Bool = false) throws {
        try run.site.readBack(refusedMayStand: refusedMayStand)
        starts += run.site.starts
        try FileManager.default.removeItem(atPath: run.site.directory)
    }

    private func makeSite(_ scenario: CrashScenario) throws -> CrashSite {
        let directory = "\(yard.directory)/site"
        if FileManager.default.fileExists(atPath: directory) { try FileManager.default.removeItem(atPath: directory) }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: scenario.template.queue, toPath: "\(directory)/queue")
        let site = CrashSite(
            yard,
            directory: directory,
            faults: faults,
            settings: scenario.settings,
            requests: scenario.template.requests
        )
        yard.onRemoval { site.crash() }
        return site
    }
}
