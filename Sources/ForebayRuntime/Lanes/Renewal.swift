import Delivery
import DurableQueue
import Logging
import Records
import SegmentedLog
import Synchronization

/// Takes the rows of a lane whose offsets were used before into the queue again, under another queue id: the case *ahead* of "Failover and restore" in
/// `Delivery`, whose four steps these are. On a thread of its own.
final class Renewal: Sendable {
    private struct State {
        var isStopping = false
        /// The last offset of each lane that is not new; from the lanes' files, and from the claims that found the ledger ahead.
        var marks: [LaneKey: Offset] = [:]
        /// In the order of asking.
        var waiting: [LaneKey] = []
        var asked: Set<LaneKey> = []
    }

    private let queue: DurableQueue
    private let intake: LetterIntake
    private let journal: DeliveryJournal
    private let file: ReusedFile
    private let log: Logger
    private let state = Monitor(State())
    private let thread = Mutex<OwnedThread?>(nil)

    private static let pause = Duration.seconds(1)
    private static let rows = 20_000
    private static let bytes = 8 << 20

    init(_ queue: DurableQueue, journal: DeliveryJournal, log: Logger) throws(FileFault) {
        self.queue = queue
        self.journal = journal
        self.log = log
        intake = LetterIntake(queue)
        file = ReusedFile(directory: queue.directory.path)
        let marks = try file.readAll()
        state.withLock { $0.marks = marks }
        for (lane, known) in marks {
            log.warning(
                "rows of this lane have offsets that were used before; they are being taken into the queue again",
                metadata: ["lane": "\(lane)", "after": "\(known)"]
            )
        }
    }

    /// Where the rows of a lane end that may be delivered under its own queue id; nil if all may.
    func mark(of lane: LaneKey) -> Offset? { state.withLock { $0.marks[lane] } }

    /// The ledger of a lane is ahead of what was on disk at the opening. Returns at once.
    func ask(_ lane: LaneKey, known: Offset) {
        state.broadcast { state in
            guard state.asked.insert(lane).inserted else { return }
            state.marks[lane] = min(known, state.marks[lane] ?? known)
            state.waiting.append(lane)
        }
    }

    /// - Parameters:
    ///   - begin: starts workers for lanes that have none.
    ///   - retire: ends the worker of a lane that has nothing more to deliver.
    func start(
        begin: @escaping @Sendable () throws -> Void,
        retire: @escaping @Sendable (LaneKey) -> Void
    ) throws(QueueFault) {
        let started = try OwnedThread(name: "renewal") { self.run(begin, retire) }
        thread.withLock { $0 = started }
        // What a process that was killed had begun.
        let begun = state.withLock { $0.marks }
        for (lane, known) in begun { ask(lane, known: known) }
    }

    func stop() {
        state.broadcast { $0.isStopping = true }
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    private func run(_ begin: () throws -> Void, _ retire: (LaneKey) -> Void) {
        while true {
            let next = state.wait { state, _ -> (lane: LaneKey, known: Offset)?? in
                if state.isStopping { return .some(nil) }
                guard let lane = state.waiting.first, let known = state.marks[lane] else { return nil }
                return (lane, known)
            }
            guard let next, let (lane, known) = next else { return }
            do {
                try renew(lane, known, begin)
                retire(lane)
                _ = state.withLock { $0.waiting.removeFirst() }
            } catch {
                if state.withLock({ $0.isStopping }) { return }
                log.error(
                    "rows with used offsets can't be taken into the queue again yet",
                    metadata: ["lane": "\(lane)", "reason": "\(error)"]
                )
                _ = state.wait(until: .after(Self.pause)) { state, _ in state.isStopping ? true : nil }
            }
        }
    }

    private func renew(_ lane: LaneKey, _ known: Offset, _ begin: () throws -> Void) throws {
        try file.write(lane, known)
        if lane.queue == queue.id { _ = try queue.beginNewIdentity() }
        try begin()
        let rows = try carry(lane, known)
        let end = queue.progress(of: lane)?.durable ?? known
        journal.retired(lane, at: end)
        queue.setCommitted(end, of: lane)
        queue.setReplicated(end, of: lane)
        try file.remove(lane)
        log.critical(
            "the queue's disk was an old image; rows accepted since are in the queue again under its new id",
            metadata: ["lane": "\(lane)", "after": "\(known)", "rows": "\(rows)", "queue": "\(queue.id)"]
        )
    }

    /// Appends what stands after `known`, a block at a time; returns how many rows. Nobody writes to the lane any more.
    private func carry(_ lane: LaneKey, _ known: Offset) throws -> Int {
        guard let reader = queue.reader(for: lane) else { return 0 }
        var position = known
        var rows = 0
        while position < reader.durable {
            let result = try reader.read(after: position, rows: Self.rows, bytes: Self.bytes)
            for chunk in result.chunks {
                let batch = RowBatch(layouts: intake, capacity: chunk.bytes.count)
                batch.reserve(chunk.bytes.count).copyMemory(from: chunk.bytes, byteCount: chunk.bytes.count)
                batch.byteCount += chunk.bytes.count
                batch.endRows(chunk.fingerprint, count: chunk.count)
                try intake.append(batch, stream: "", key: "reused:\(lane.position(chunk.first))")
                rows += chunk.count
            }
            let reached = max(result.chunks.last?.last ?? position, result.lost.last?.upperBound ?? position)
            guard reached > position else { break }
            position = reached
        }
        return rows
    }
}
