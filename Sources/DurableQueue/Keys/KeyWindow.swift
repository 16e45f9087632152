import Instruments
import Records
import SegmentedLog
import Synchronization

/// The idempotency window of the process, with those who wait for a request that is under way. Any thread may ask.
final class KeyWindow: Sendable {
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
        var window: IdempotencyWindow
        var attached: [IdempotencyKey: [Attached]] = [:]
        var forgottenBefore = 0
    }

    /// What is to be done with a keyed request.
    enum Entry {
        /// It is new: append it, and call `settle` with what became of it.
        case proceed
        /// The same one is under way; its outcome will be this one's.
        case attached
        case answered(AppendOutcome)
    }

    private let state: Mutex<State>
    private let metrics: QueueMetrics

    init(_ window: consuming sending IdempotencyWindow, metrics: QueueMetrics) {
        state = Mutex(State(window: window))
        self.metrics = metrics
    }

    func begin(_ request: KeyedRequest, sink: any AppendSink, token: UInt64) -> Entry {
        let now = WallTime.now.seconds
        return state.withLock { state in
            defer {
                metrics.forgottenKeys.add(state.window.forgottenEarly - state.forgottenBefore)
                state.forgottenBefore = state.window.forgottenEarly
            }
            switch state.window.begin(request, at: now) {
            case .new:
                return .proceed
            case .inFlight:
                state.attached[request.key, default: []].append(Attached(sink: sink, token: token))
                return .attached
            case .done(let last, let count):
                metrics.repeatedRequests.add()
                return .answered(.durable(last: last, count: count, repeated: true))
            case .reused:
                return .answered(.keyReused)
            }
        }
    }

    /// Notes what became of a request that `begin` let proceed; returns the answers for those who attached themselves to it.
    func settle(_ request: KeyedRequest, _ outcome: AppendOutcome) -> [Answer] {
        let now = WallTime.now.seconds
        let attached = state.withLock { state in
            if case .durable(let last, let count, _) = outcome {
                state.window.finish(request.key, last: last, count: count, at: now)
            } else {
                state.window.release(request.key)
            }
            return state.attached.removeValue(forKey: request.key) ?? []
        }
        guard !attached.isEmpty else { return [] }
        var answer = outcome
        if case .durable(let last, let count, _) = outcome {
            metrics.repeatedRequests.add(attached.count)
            answer = .durable(last: last, count: count, repeated: true)
        }
        return attached.map { Answer(sink: $0.sink, token: $0.token, outcome: answer) }
    }

    /// Keys known just now.
    var count: Int { state.withLock { $0.window.count } }
}
