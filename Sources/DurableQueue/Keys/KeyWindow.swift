import Instruments
import Records
import SegmentedLog
import Synchronization

/// The idempotency keys of the process, under a lock. Any thread may ask.
final class KeyWindow: Sendable {
    /// Who waits for the outcome of a request that somebody else's is.
    struct Attached {
        var sink: any AppendSink
        var token: UInt64
    }

    struct Answer {
        var sink: any AppendSink
        var token: UInt64
        var outcome: AppendOutcome
    }

    private struct State {
        var admission: KeyAdmission<Attached>
        var forgottenBefore = 0
    }

    private let state: Mutex<State>
    private let metrics: QueueMetrics

    init(_ window: IdempotencyWindow, metrics: QueueMetrics) {
        state = Mutex(State(admission: KeyAdmission(window)))
        self.metrics = metrics
    }

    func begin(_ request: KeyedRequest, sink: any AppendSink, token: UInt64) -> KeyAdmission<Attached>.Verdict {
        let now = WallTime.steady.seconds
        let verdict = state.withLock { state in
            defer {
                let forgotten = state.admission.window.forgottenEarly
                metrics.forgottenKeys.add(forgotten - state.forgottenBefore)
                state.forgottenBefore = forgotten
            }
            return state.admission.begin(request, Attached(sink: sink, token: token), at: now)
        }
        if case .answered(.durable) = verdict { metrics.repeatedRequests.add() }
        return verdict
    }

    /// Notes what became of a request that `begin` let proceed; returns the answers for those who attached themselves to it.
    func settle(_ request: KeyedRequest, _ outcome: AppendOutcome, inDoubtOf lane: LaneKey? = nil) -> [Answer] {
        let now = WallTime.steady.seconds
        let (waiters, answer) = state.withLock {
            $0.admission.settle(request, outcome, inDoubtOf: lane, at: now)
        }
        if case .durable = answer { metrics.repeatedRequests.add(waiters.count) }
        return waiters.map { Answer(sink: $0.sink, token: $0.token, outcome: answer) }
    }

    /// The lane can be written again.
    func endDoubts(of lane: LaneKey) {
        state.withLock { $0.admission.endDoubts(of: lane) }
    }

    func fate(of key: IdempotencyKey) -> KeyFate {
        state.withLock { $0.admission.window.fate(of: key) }
    }

    /// Keys known just now.
    var count: Int { state.withLock { $0.admission.window.count } }
}
