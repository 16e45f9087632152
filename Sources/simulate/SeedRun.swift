import Dispatch
import Glibc
import SimulationKit
import Synchronization

/// Runs the worlds of a campaign on several threads, until they are done or a signal asks for the figures so far.
struct SeedRun {
    let campaign: Campaign
    let seeds: UInt64
    let jobs: Int
    let tellsProgress: Bool
    let stopsAtFirst: Bool

    func run() -> (result: Campaign.Result, wasStopped: Bool) {
        let isStopping = Stop()
        let signals = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { isStopping.set() }
            source.activate()
            return source
        }
        defer { for source in signals { source.cancel() } }
        let teller = tellsProgress ? progress() : nil
        defer { teller?.cancel() }
        DispatchQueue.concurrentPerform(iterations: jobs) { _ in
            while !isStopping.isSet, campaign.runSome() {
                if stopsAtFirst, campaign.result.failureCount > 0 { return }
            }
        }
        return (campaign.result, isStopping.isSet)
    }

    private func progress() -> any DispatchSourceTimer {
        let begun = ContinuousClock.now
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + 10, repeating: 10)
        timer.setEventHandler { [campaign, seeds] in
            let result = campaign.result
            let seconds = max(1, (ContinuousClock.now - begun).components.seconds)
            let rate = Int64(result.worlds) / seconds
            let line =
                "\(result.worlds) of \(seeds) worlds, \(rate) a second, \(result.failureCount) broken\n"
            _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        }
        timer.activate()
        return timer
    }

    private final class Stop: Sendable {
        private let flag = Atomic(false)

        var isSet: Bool { flag.load(ordering: .relaxed) }

        func set() { flag.store(true, ordering: .relaxed) }
    }
}
