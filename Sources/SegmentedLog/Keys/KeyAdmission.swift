package import Records

/// The idempotency window together with those who wait for a request that is under way: what becomes of a request that brings a key.
///
/// Owner: whoever holds the lock around it. `Waiter` is whatever an answer has to reach.
package struct KeyAdmission<Waiter: Sendable>: Sendable {
    /// What is to be done with a request.
    package enum Verdict {
        /// It is new: append it, and call `settle` with what became of it.
        case proceed
        /// The same one is under way; its outcome will be this one's.
        case attached
        case answered(AppendOutcome)
    }

    package private(set) var window: IdempotencyWindow
    private var attached: [IdempotencyKey: [Waiter]] = [:]
    /// Keys whose requests failed in a way that a crash may undo: they can't be taken elsewhere, for then they could be there twice.
    private var doubts: [IdempotencyKey: Doubt] = [:]

    private struct Doubt {
        var lane: LaneKey
        var outcome: AppendOutcome
    }

    package init(_ window: IdempotencyWindow) {
        self.window = window
    }

    package mutating func begin(
        _ request: KeyedRequest,
        _ waiter: @autoclosure () -> Waiter,
        at seconds: UInt32
    ) -> Verdict {
        switch window.begin(request, at: seconds) {
        case .new:
            return .proceed
        case .inFlight:
            if let doubt = doubts[request.key] { return .answered(doubt.outcome) }
            attached[request.key, default: []].append(waiter())
            return .attached
        case .done(let last, let count):
            return .answered(.durable(last: last, count: count, repeated: true))
        case .reused:
            return .answered(.keyReused)
        }
    }

    /// Notes what became of a request that `begin` let proceed; returns those who attached themselves to it, and what they are told.
    ///
    /// - Parameter lane: the lane whose trouble leaves it in doubt whether the request is there; nil if the outcome is certain.
    package mutating func settle(
        _ request: KeyedRequest,
        _ outcome: AppendOutcome,
        inDoubtOf lane: LaneKey? = nil,
        at seconds: UInt32
    ) -> (waiters: [Waiter], answer: AppendOutcome) {
        var answer = outcome
        if case .durable(let last, let count, _) = outcome {
            window.finish(request.key, last: last, count: count, at: seconds)
            answer = .durable(last: last, count: count, repeated: true)
        } else if let lane {
            doubts[request.key] = Doubt(lane: lane, outcome: outcome)
        } else {
            window.release(request.key)
        }
        return (attached.removeValue(forKey: request.key) ?? [], answer)
    }

    /// The lane can be written again: what failed in it is excluded for ever, and its keys may be used again.
    package mutating func endDoubts(of lane: LaneKey) {
        guard !doubts.isEmpty else { return }
        for (key, doubt) in doubts where doubt.lane == lane {
            doubts[key] = nil
            window.release(key)
        }
    }
}
