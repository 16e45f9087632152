import DurableQueue
import Records
import SegmentedLog
import ServiceLifecycle
import Synchronization

/// Ends, and with it the proxy, when the queue is empty or the time is over. When that is: <doc:Draining>.
final class DrainWatch: Service {
    /// What is still there.
    struct Rest: Hashable, Sendable {
        var rows = 0
        /// Dead letters that are pending.
        var letters = 0
        /// Why rows are left, lane by lane.
        var reasons: [String] = []
    }

    private let queue: DurableQueue
    private let letters: DeadLetterLog
    private let journal: DeliveryJournal
    private let deadline: MonotonicTime?

    private static let pause = Duration.milliseconds(50)

    init(_ queue: DurableQueue, _ letters: DeadLetterLog, _ journal: DeliveryJournal, within timeout: Duration?) {
        self.queue = queue
        self.letters = letters
        self.journal = journal
        deadline = timeout.map { .after($0) }
    }

    func run() async throws {
        while !rest.reasons.isEmpty {
            if let deadline, deadline <= .now { return }
            do {
                try await Task.sleep(for: Self.pause)
            } catch {
                // Stopped by a signal: what is left is told all the same.
                return
            }
        }
    }

    /// As it is now.
    var rest: Rest {
        var rest = Rest(letters: letters.summary.pending)
        for key in queue.lanes.all {
            // A lane that is off the roster was empty.
            guard let progress = queue.progress(of: key) else { continue }
            let record = journal.record(of: key)
            let committed = record.ledger ?? .none
            if record.ledger != nil, committed >= progress.durable, progress.replicated >= progress.durable { continue }
            let rows = min(committed, progress.replicated).distance(to: progress.durable)
            rest.rows += max(0, rows)
            let reason =
                if let fault = record.fault {
                    fault
                } else if record.ledger == nil {
                    "it could not be claimed yet"
                } else if committed < progress.durable {
                    "the time was too short"
                } else {
                    "not all required replicas show what the primary has"
                }
            rest.reasons.append("lane \(key): \(rows) rows are left: \(reason)")
        }
        return rest
    }
}
