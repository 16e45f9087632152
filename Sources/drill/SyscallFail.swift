import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// The file system calls of an append, a rotation, a trim and a start fail, one by one, and from one on.
struct SyscallFail: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "EIO and ENOSPC from every file system call of an append, a rotation, a trim and a start.",
        discussion: """
            Each call (with ENOSPC: each that may need space) fails in a run of its own, on a fresh copy of the directory; then \
            each is the first of many that fail. The proxy never ends; a request is answered 200 or 503; a write or a sync that \
            failed is final for its segment; once calls succeed again the proxy accepts again. Then it is killed and the \
            directory is read back, as syscall-kill does: what was acknowledged is there once, what was refused is not. A start \
            may give up with status 1 where a call failed with EIO, or a sync failed, after which nothing can be believed; for \
            want of room otherwise only on a queue that does not exist yet. The next start succeeds.
            """
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "Fail every so-manieth call only; which, the seed decides.")
    var every = 1

    @Option(help: "Only scenarios whose name begins so.")
    var scenario = ""

    private static let strikes: [(SyscallFaults.Strike, SyscallFaults.Kinds)] = [
        (.fail(EIO), [.changes, .looks]), (.fail(ENOSPC), .space), (.failFrom(EIO), .changes),
        (.failFrom(ENOSPC), .space),
    ]

    /// What the strikes of one kind came to.
    private struct Tally {
        var struck = 0
        var refusing = 0
        var ended = 0
        var pauses: [Duration] = []
    }

    func run() throws {
        try options.run("syscall-fail", CrashScenarios.plan()) { yard, pause in
            let range = try CrashRange(yard, programs: yard.programs)
            for scenario in try CrashScenarios(yard: yard, faults: range.faults).make()
            where scenario.name.hasPrefix(self.scenario) {
                let counting = try range.run(scenario, .nothing)
                counting.site.crash()
                for (strike, kinds) in Self.strikes {
                    let points = range.points(scenario, of: kinds, in: counting.calls)
                    let phase = every > 1 ? Int(pause.next() % UInt64(every)) : 0
                    var tally = Tally()
                    for (index, point) in points.enumerated() where index % every == phase {
                        do {
                            try fail(scenario, strike, at: point, of: kinds, in: range, &tally)
                        } catch {
                            throw YardFault("\(scenario.name), \(strike) from \(point.description): \(error)")
                        }
                    }
                    print(
                        "\(scenario.name), \(strike): \(tally.struck) of \(points.count) calls, a request refused in \(tally.refusing) runs, "
                            + "given up with status 1 in \(tally.ended); accepting again: \(summary(of: tally.pauses))"
                    )
                    fflush(nil)
                }
            }
            return nil
        }
    }

    private func fail(
        _ scenario: CrashScenario,
        _ strike: SyscallFaults.Strike,
        at point: CrashRange.Point,
        of kinds: SyscallFaults.Kinds,
        in range: CrashRange,
        _ tally: inout Tally
    ) throws {
        let run = try range.run(scenario, strike, at: point.number, of: kinds, thread: point.thread)
        let site = run.site
        guard run.hasStruck else { throw YardFault("the call did not come") }
        tally.struck += 1
        if !site.isRunning {
            let status = site.waitForEnd()
            let hasFailedSync = range.faults.calls.contains { $0.kinds.contains(.syncs) && $0.error != 0 }
            let mayEnd = scenario.warmUp == nil && (strike.code == EIO || scenario.makesQueue || hasFailedSync)
            guard status == 1, mayEnd else { throw YardFault("the proxy ended with \(status); see \(site.log)") }
            tally.ended += 1
        } else {
            try recover(site, range, &tally)
            try OrderLaw.checkFinality(range.faults.calls)
        }
        let refused = site.requests.count { $0.outcome == .refused }
        if refused > 0 { tally.refusing += 1 }
        // A lane's thread answers with what its calls came to; no one else's fault is an agent's.
        guard scenario.warmUp == nil || (refused > 0) == point.thread.hasPrefix("lane-") || strike.lasts else {
            throw YardFault("\(refused) requests were refused")
        }
        let sent = site.requests.dropFirst(scenario.template.requests.count)
        guard !sent.contains(where: { $0.outcome == .unanswered }) else {
            throw YardFault("a request had no answer")
        }
        try range.readBack(run, refusedMayStand: strike.lasts)
    }

    /// Lets calls succeed again, waits until the proxy accepts and the housekeeper has gone around once, and kills it.
    private func recover(_ site: CrashSite, _ range: CrashRange, _ tally: inout Tally) throws {
        range.faults.heal()
        let begun = ContinuousClock.now
        let first = (site.requests.map(\.ids.upperBound).max() ?? 0) + 1
        site.requests.append(CrashScenarios.request(first, 1))
        let index = site.requests.count - 1
        try waitUntil("the proxy accepts again", within: 60) {
            guard site.isRunning else { throw YardFault("the proxy ended; see \(site.log)") }
            return try site.send(index)?.status == 200
        }
        tally.pauses.append(ContinuousClock.now - begun)
        let looks = CrashScenarios.looks(range.faults.calls)
        try waitUntil("the housekeeper goes around", within: 60) {
            guard site.isRunning else { throw YardFault("the proxy ended; see \(site.log)") }
            return CrashScenarios.looks(range.faults.calls) > looks + 1
        }
        site.crash()
    }
}

extension SyscallFaults.Strike {
    /// The errno of a failure.
    fileprivate var code: Int32? {
        switch self {
        case .fail(let code), .failFrom(let code), .failSome(let code, _): code
        case .nothing, .killBefore, .killAfter, .killWithin: nil
        }
    }

    /// More than one call fails.
    fileprivate var lasts: Bool {
        if case .failFrom = self { return true }
        return false
    }
}
