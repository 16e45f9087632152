/// The way of one batch until it is acknowledged.
///
/// Pure: moments, measured from any fixed point, and the randomness of the pauses come as arguments. Owned by the task that
/// carries the batch.
package struct BatchDelivery: Sendable {
    package struct Policy: Hashable, Sendable {
        package var backoff: Backoff
        /// Give up on a batch that has not been acknowledged this long after its first sending; nil for never.
        package var giveUpAfter: Duration?

        package init(backoff: Backoff = Backoff(), giveUpAfter: Duration? = nil) {
            self.backoff = backoff
            self.giveUpAfter = giveUpAfter
        }
    }

    package enum Action: Hashable, Sendable {
        case acknowledged(Acknowledgement)
        /// Send the same bytes with the same key after the pause.
        case resend(after: Duration, reason: String)
        /// The server takes the request's events in no case as they are together: send its halves, each under a key of its own; a
        /// single event is refused with this reason. Nothing of the request has been stored.
        case divide(reason: String)
        /// No request of this kind can succeed until somebody changes something.
        case stop(reason: String)
        /// The time for the batch is over; the server may or may not have it.
        case giveUp(reason: String)
    }

    private enum State {
        case sending(attempt: Int, since: Duration)
        case done
    }

    private let policy: Policy
    private let eventCount: Int
    private var state: State

    /// The batch is about to be sent for the first time.
    package init(eventCount: Int, policy: Policy, at now: Duration) {
        self.policy = policy
        self.eventCount = eventCount
        state = .sending(attempt: 1, since: now)
    }

    /// How often the batch has been sent.
    package private(set) var attempts = 1

    /// - Parameter spread: evenly drawn from 0 ..< 1.
    package mutating func replied(_ reply: IngestReply, at now: Duration, spread: Double) -> Action {
        guard case .sending(let attempt, let since) = state else {
            preconditionFailure("a batch that is done was sent")
        }
        let reason: String
        var wait = policy.backoff.pause(after: attempt, spread: spread)
        switch reply {
        case .lost(let text):
            reason = text
        case .answer(let answer):
            switch answer.status {
            case 200, 202:
                guard let acknowledgement = Acknowledgement(body: answer.body) else {
                    state = .done
                    return .stop(reason: "the answer \(answer.status) is not Forebay's: \(answer.excerpt)")
                }
                state = .done
                return .acknowledged(acknowledgement)
            case 400, 413, 422:
                state = .done
                return .divide(reason: "\(answer.status): \(answer.excerpt)")
            case 408, 425, 429, 500...599:
                reason = "the answer was \(answer.status)"
                if let asked = answer.retryAfter {
                    wait = max(wait, asked)
                }
            default:
                state = .done
                return .stop(reason: "the answer was \(answer.status): \(answer.excerpt)")
            }
        }
        if let limit = policy.giveUpAfter, now + wait - since > limit {
            state = .done
            return .giveUp(reason: reason)
        }
        attempts = attempt + 1
        state = .sending(attempt: attempt + 1, since: since)
        return .resend(after: wait, reason: reason)
    }
}
