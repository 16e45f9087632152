package import Records
import Synchronization

/// Where rows of dead letters go when they are retried: the queue, as the desk sees it.
package protocol LetterQueue: LayoutSource {
    /// Appends the rows as new events, in one request; they are on disk when it returns.
    ///
    /// - Parameters:
    ///   - stream: the scope of the key, beside the key itself.
    ///   - key: an idempotency key's text. If the queue knows it, the rows are there already and nothing is appended.
    func append(_ rows: RowBatch, stream: String, key: String) throws(LetterQueueFault)
    /// What is known of the append with this key.
    func fate(stream: String, key: String) -> KeyFate
}

/// The queue did not take the rows (full, overloaded, a failed sync, shutting down); the letter stays pending.
package struct LetterQueueFault: Error, Hashable, Sendable {
    package var message: String

    package init(_ message: String) {
        self.message = message
    }
}

/// Which letters are meant.
package enum LetterChoice: Hashable, Sendable {
    case all
    case stream(String)
    case ids(Set<LetterID>)
    /// The letters that hold these positions.
    case positions(Set<Position>)

    func includes(_ record: LetterRecord) -> Bool {
        switch self {
        case .all: true
        case .stream(let stream): record.letter.stream == stream
        case .ids(let ids): ids.contains(record.id)
        case .positions(let positions):
            positions.contains { position in
                record.letter.lane == LaneKey(queue: position.queue, lane: position.lane)
                    && record.letter.range.contains(position.offset)
            }
        }
    }
}

/// What an operator does with dead letters. Called by the ops port of a running proxy, or by the verb on a directory that no proxy has open.
package struct DeadLetterDesk: Sendable {
    /// What a call did.
    package struct Report: Hashable, Sendable {
        /// Letters retried or discarded, and their events.
        package var letters = 0
        package var events = 0
        /// Chosen letters that stay pending, with the reason; at most the first hundred of them.
        package var left: [Left] = []
        /// How many stay in all.
        package var leftCount = 0

        package struct Left: Hashable, Sendable {
            package var id: LetterID
            package var position: Position
            package var reason: String
        }

        mutating func leave(_ record: LetterRecord, _ reason: String) {
            leftCount += 1
            if left.count < 100 {
                left.append(Left(id: record.id, position: record.letter.position, reason: reason))
            }
        }
    }

    private let log: DeadLetterLog
    private let reader: DeadLetterReader

    package init(_ log: DeadLetterLog) {
        self.log = log
        reader = DeadLetterReader(directory: log.directory.path, files: log.directory.files)
    }

    /// Appends the rows of pending letters to the queue as new events, and marks the letters.
    ///
    /// The append of a letter carries the idempotency key `dlq:<position of its first row>`, so that one whose rows are in the queue already is not
    /// appended again. A letter whose rows the queue does not take stays pending, and ends the call, since the next one would not be taken either.
    /// What happens between append and mark: "Dead-letter format", section "Retrying".
    ///
    /// - Parameter time: microseconds since 1970.
    package func retry(
        _ choice: LetterChoice,
        into queue: any LetterQueue,
        time: Int64
    ) throws(DeadLetterLogFault) -> Report {
        try exclusively { () throws(DeadLetterLogFault) in
            var report = Report()
            var marks = Marks(log: log, verdict: .retried, time: time)
            var isRefused = false
            var cache = DeadLetterReader.Cache()
            try forEachPending(choice) { (record) throws(DeadLetterLogFault) in
                if log.isUnmarked(record.id) { return try marks.add(record, to: &report) }
                guard record.letter.kind != .unreadable else {
                    report.leave(record, "there are no rows: the queue could not read these positions")
                    return
                }
                guard !isRefused else { return report.leave(record, "the queue took no more") }
                let batch: RowBatch
                do throws(DeadLetterLogFault) {
                    batch = Self.batch(record, rows: try reader.rows(of: record, &cache), layouts: queue)
                } catch .corruptRows {
                    return report.leave(record, "its rows fail their checksum")
                }
                do throws(LetterQueueFault) {
                    try queue.append(batch, stream: record.letter.stream, key: Self.key(of: record))
                } catch {
                    isRefused = true
                    return report.leave(record, error.message)
                }
                log.noteStored(record.id)
                try marks.add(record, to: &report)
            }
            try marks.write(to: &report)
            return report
        }
    }

    /// Gives pending letters up for good. Their rows stay on disk until a compaction. One whose rows a retry has put into the queue, or may have, stays.
    ///
    /// - Parameter time: microseconds since 1970.
    package func discard(
        _ choice: LetterChoice,
        besides queue: any LetterQueue,
        time: Int64
    ) throws(DeadLetterLogFault) -> Report {
        try exclusively { () throws(DeadLetterLogFault) in
            var report = Report()
            var marks = Marks(log: log, verdict: .discarded, time: time)
            try forEachPending(choice) { (record) throws(DeadLetterLogFault) in
                switch fate(of: record, in: queue) {
                case .unknown: try marks.add(record, to: &report)
                case .underWay: report.leave(record, "whether a retry has put its rows into the queue is not known yet")
                case .stored: report.leave(record, "a retry has put its rows into the queue")
                }
            }
            try marks.write(to: &report)
            return report
        }
    }

    /// Marks the pending letters whose rows are in the queue already: a retry was cut short, by a crash or by a fault of the disk. Does nothing if there can be
    /// none, or while letters are being retried; returns how many were marked.
    ///
    /// - Parameter time: microseconds since 1970.
    @discardableResult
    package func finishRetries(in queue: any LetterQueue, time: Int64) throws(DeadLetterLogFault) -> Int {
        guard log.mayHaveUnfinishedRetries else { return 0 }
        let done: Result<Int, DeadLetterLogFault>? = log.reading.withLockIfAvailable { _ in
            do throws(DeadLetterLogFault) {
                try log.endDoubts()
                var report = Report()
                var marks = Marks(log: log, verdict: .retried, time: time)
                try forEachPending(.all) { (record) throws(DeadLetterLogFault) in
                    if fate(of: record, in: queue) == .stored { try marks.add(record, to: &report) }
                }
                try marks.write(to: &report)
                log.didFinishCutRetries()
                return .success(report.letters)
            } catch {
                return .failure(error)
            }
        }
        return try done?.get() ?? 0
    }

    private static func key(of record: LetterRecord) -> String { "dlq:\(record.letter.position)" }

    private func fate(of record: LetterRecord, in queue: any LetterQueue) -> KeyFate {
        if log.isUnmarked(record.id) { return .stored }
        return queue.fate(stream: record.letter.stream, key: Self.key(of: record))
    }

    private func forEachPending(
        _ choice: LetterChoice,
        _ body: (LetterRecord) throws(DeadLetterLogFault) -> Void
    ) throws(DeadLetterLogFault) {
        // Letters that come in meanwhile, perhaps because of the retry itself, are not this call's.
        let end = log.nextID
        try reader.visit { (record) throws(DeadLetterLogFault) in
            guard record.id < end else { return false }
            if log.isPending(record.id), choice.includes(record) { try body(record) }
            return true
        }
    }

    /// One operator at a time, and no compaction meanwhile.
    private func exclusively(
        _ body: () throws(DeadLetterLogFault) -> Report
    ) throws(DeadLetterLogFault) -> Report {
        let result: Result<Report, DeadLetterLogFault> = log.reading.withLock { _ in
            do throws(DeadLetterLogFault) {
                try log.endDoubts()
                return .success(try body())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func batch(
        _ record: LetterRecord,
        rows: [UInt8],
        layouts: any LayoutSource
    ) -> RowBatch {
        let batch = RowBatch(layouts: layouts, capacity: rows.count)
        batch.reserve(rows.count).copyMemory(from: rows, byteCount: rows.count)
        batch.byteCount += rows.count
        batch.endRows(record.letter.fingerprint, count: record.letter.count)
        return batch
    }
}

/// Verdicts, gathered so that a mark does not cost a sync each. What is lost in a crash is retried under the same key.
private struct Marks {
    private static let limit = 256

    let log: DeadLetterLog
    let verdict: LetterVerdict
    let time: Int64
    private var records: [LetterID: Int] = [:]

    init(log: DeadLetterLog, verdict: LetterVerdict, time: Int64) {
        self.log = log
        self.verdict = verdict
        self.time = time
    }

    mutating func add(
        _ record: LetterRecord,
        to report: inout DeadLetterDesk.Report
    ) throws(DeadLetterLogFault) {
        records[record.id] = record.letter.count
        if records.count >= Self.limit { try write(to: &report) }
    }

    mutating func write(to report: inout DeadLetterDesk.Report) throws(DeadLetterLogFault) {
        let judged = try log.judge(records.keys, verdict, time: time)
        report.letters += judged.count
        for id in judged { report.events += records[id] ?? 0 }
        records.removeAll(keepingCapacity: true)
    }
}
