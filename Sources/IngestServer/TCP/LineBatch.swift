import NIOCore
import Records

/// Event lines that go to the queue together, and what is to be answered for them.
struct LineBatch {
    /// Consecutive lines that have one answer.
    enum Mark: Hashable, Sendable {
        /// Lines that became rows.
        case rows(Int)
        /// One line, counted from 1 over the connection, that is no event.
        case refused(line: Int, reason: String)
        /// The lines of a key that are not stored because one of them is no event, or because they are too many or too
        /// large.
        case refusedGroup(lines: Int, line: Int?, reason: String, retry: Bool)
        /// The connection ends here.
        case farewell(reason: String, retry: Bool)
    }

    let rows: RowBatch
    private(set) var marks: [Mark] = []
    var keyed: KeyedRequest?
    var received: NIODeadline

    init(rows: RowBatch, received: NIODeadline) {
        self.rows = rows
        self.received = received
    }

    /// Adds a mark behind those that are there; rows behind rows are one mark.
    mutating func add(_ mark: Mark) {
        if case .rows(let more) = mark {
            guard more > 0 else { return }
            if case .rows(let count) = marks.last {
                marks[marks.count - 1] = .rows(count + more)
                return
            }
        }
        marks.append(mark)
    }

    mutating func replaceMarks(with mark: Mark) {
        marks = [mark]
    }

    /// What the queue holds on to for it.
    var charge: Int { rows.byteCount + HTTPConnection.requestOverhead }
}

/// The lines of one idempotency key, while they are collected.
struct LineGroup {
    let key: IdempotencyKey
    let count: Int
    var batch: LineBatch
    let digest = RunningDigest()
    /// Lines seen, and the bytes of them.
    var lines = 0
    var bytes = 0
    /// What is wrong with the first bad line; then none of the group is stored.
    private(set) var fault: (line: Int?, reason: String)?

    var isComplete: Bool { lines == count }

    /// None of the lines will be stored, so the memory of their rows goes back now, not once all have come.
    mutating func refuse(_ reason: String, line: Int? = nil) {
        guard fault == nil else { return }
        fault = (line, reason)
        batch = LineBatch(rows: RowBatch(layouts: batch.rows.layouts, capacity: 64), received: batch.received)
    }
}
