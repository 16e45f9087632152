import Synchronization

/// The shared counts of the agents of a drill. Any agent may change them.
package final class DrillTally: Sendable {
    package struct Summary: Hashable, Sendable, Encodable {
        package var run = ""
        package var agents = 0
        package var sentBatches = 0
        package var sentEvents = 0
        package var acknowledgedBatches = 0
        package var acknowledgedEvents = 0
        package var resent = 0
        package var repeatedBatches = 0
        package var abandonedBatches = 0
        /// The longest time in which no agent got an acknowledgement, from the first one to the last.
        package var longestGapMilliseconds = 0
        /// The last reason for sending a batch again.
        package var lastTrouble: String?
        /// Why the drill ended with a failure.
        package var failure: String?
    }

    private struct State {
        var summary = Summary()
        var lastAcknowledgement: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    package init(run: String, agents: Int) {
        state.withLock {
            $0.summary.run = run
            $0.summary.agents = agents
        }
    }

    package func change(_ body: (inout sending Summary) -> Void) {
        state.withLock { body(&$0.summary) }
    }

    package func acknowledged(events: Int, repeated: Bool, at now: ContinuousClock.Instant) {
        state.withLock { state in
            state.summary.acknowledgedBatches += 1
            state.summary.acknowledgedEvents += events
            state.summary.repeatedBatches += repeated ? 1 : 0
            if let last = state.lastAcknowledgement {
                let gap = Int((now - last) / .milliseconds(1))
                state.summary.longestGapMilliseconds = max(state.summary.longestGapMilliseconds, gap)
            }
            state.lastAcknowledgement = now
        }
    }

    package var summary: Summary { state.withLock { $0.summary } }
}
