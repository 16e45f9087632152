import Logging
import Records
import SegmentedLog

/// The thread that does what must not be done on a lane's: spares, sidecars, trimming, hints, deadlines, resuming after a full disk.
///
/// It looks around every second, sooner if it is nudged or a deadline comes first.
final class Housekeeper: Sendable {
    private struct State {
        var queue: DurableQueue?
        var isNudged = false
        var isFinishing = false
    }

    private let state = Monitor(State())
    static let period = Duration.seconds(1)

    /// Gives it the queue to look after. Queue and housekeeper hold each other until `finish`.
    func attach(_ queue: DurableQueue) {
        state.signal { state in
            state.queue = queue
            state.isNudged = true
            return true
        }
    }

    func nudge() {
        state.signal { state in
            defer { state.isNudged = true }
            return !state.isNudged
        }
    }

    func finish() {
        state.signal { state in
            state.isFinishing = true
            return true
        }
    }

    private enum Order {
        case look(DurableQueue)
        case end(DurableQueue?)
    }

    /// The thread's life.
    func run() {
        var due: MonotonicTime?
        var care = QueueCare()
        var known: DurableQueue?
        while true {
            let order = state.wait(until: due) { state, _ -> Order? in
                if state.isFinishing {
                    defer { state.queue = nil }
                    return .end(state.queue)
                }
                guard let queue = state.queue, state.isNudged else { return nil }
                state.isNudged = false
                return .look(queue)
            }
            switch order {
            case .end(let queue):
                if let queue { care.writeHints(queue, isLast: true) }
                return
            case .look(let queue): known = queue
            case nil: break
            }
            guard let queue = known else { continue }
            let deadline = care.look(after: queue)
            let period = MonotonicTime.after(Self.period)
            due = deadline.map { min($0, period) } ?? period
        }
    }
}
