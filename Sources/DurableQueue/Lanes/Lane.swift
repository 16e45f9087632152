import Records
import SegmentedLog

/// A lane as the rest of the process sees it: its files, its watermarks, and who waits for them.
final class Lane: Sendable {
    let key: LaneKey
    let catalogue: LaneCatalogue
    let board: Monitor<Board>

    struct Waiter {
        var level: Watermark
        var offset: Offset
        var deadline: MonotonicTime
        var body: @Sendable (Bool) -> Void
    }

    struct Board {
        var durable: Offset
        var marks: DeliveryMarks
        var isDraining: Bool
        var readOnlyReason: String?
        /// When the oldest row that is not committed was written; the housekeeper looks it up.
        var oldestUncommitted: WallTime?
        var waiters: [Waiter] = []
        /// Counts the calls of `LaneReader.wake`.
        var wakes = 0
        /// The lowest offset behind which a reader waits for a row; nil if none waits.
        var readersWaitAfter: Offset?

        func level(_ watermark: Watermark) -> Offset {
            switch watermark {
            case .durable: durable
            case .committed: marks.committed
            case .replicated: marks.replicated
            }
        }

        /// Takes out the waiters that need not wait any longer.
        mutating func due() -> [Waiter] {
            guard !waiters.isEmpty else { return [] }
            let due = waiters.filter { level($0.level) >= $0.offset }
            if !due.isEmpty {
                let (durable, marks) = (durable, marks)
                waiters.removeAll { waiter in
                    switch waiter.level {
                    case .durable: durable >= waiter.offset
                    case .committed: marks.committed >= waiter.offset
                    case .replicated: marks.replicated >= waiter.offset
                    }
                }
            }
            return due
        }
    }

    init(catalogue: LaneCatalogue, hints: LaneHints, isDraining: Bool) {
        key = catalogue.key
        self.catalogue = catalogue
        board = Monitor(
            Board(
                durable: catalogue.end,
                marks: hints.marks(upTo: catalogue.end),
                isDraining: isDraining
            )
        )
    }

    /// Changes the watermarks, wakes the readers that have something to read now, and tells those who waited for it.
    func advance(_ body: (inout Board) -> Void) {
        var due: [Waiter] = []
        board.broadcastIf { board in
            body(&board)
            due = board.due()
            guard let offset = board.readersWaitAfter, board.durable > offset else { return false }
            board.readersWaitAfter = nil
            return true
        }
        for waiter in due { waiter.body(true) }
    }

    /// Calls `waiter` once: now, when the watermark gets there, or after the deadline.
    func add(_ waiter: Waiter) {
        let isThere = board.withLock { board in
            if board.level(waiter.level) >= waiter.offset { return true }
            board.waiters.append(waiter)
            return false
        }
        if isThere { waiter.body(true) }
    }

    func isAwaited(_ watermark: Watermark) -> Bool {
        board.withLock { board in board.waiters.contains { $0.level == watermark } }
    }

    /// Tells those whose deadline has passed; returns the earliest of the others.
    func expireWaiters(at now: MonotonicTime) -> MonotonicTime? {
        let (expired, next) = board.withLock { board -> ([Waiter], MonotonicTime?) in
            guard !board.waiters.isEmpty else { return ([], nil) }
            let expired = board.waiters.filter { $0.deadline <= now }
            if !expired.isEmpty { board.waiters.removeAll { $0.deadline <= now } }
            return (expired, board.waiters.map(\.deadline).min())
        }
        for waiter in expired { waiter.body(false) }
        return next
    }

    /// Tells all who still wait that it won't come; at the end of the process.
    func dismissWaiters() {
        let waiters = board.withLock { board in
            let waiters = board.waiters
            board.waiters = []
            return waiters
        }
        for waiter in waiters { waiter.body(false) }
    }
}
