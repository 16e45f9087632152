import Delivery
import DurableQueue
import Logging
import Records
import SegmentedLog
import Synchronization

/// Takes the rows of a lane whose offsets were used before into the queue again, under another queue id: the case *ahead* of "Failover and restore" in
/// `Delivery`, whose four steps these are. On a thread of its own.
final class Renewal: Sendable {
    /// What is known of where a lane's own rows end. A lane without one may deliver all that it has.
    private enum Mark {
        /// No claim has compared the ledger with the queue since an opening, at which the lane ended at `known`; the opening of this process found it ending at `end`,
        /// which is more if processes in between took rows without ever getting to a claim. Gone with a claim at or below `known`; beyond it, to `doubtful` if there
        /// are such rows, else to `reused`.
        case opened(known: Offset, end: Offset)
        /// The disk is an old image, and nobody can tell whether the rows between the two were in the image or came since. To `reused` by order.
        case doubtful(known: Offset, end: Offset)
        /// The rows after it have used offsets, and are taken into the queue again. To `carried` when they are.
        case reused(known: Offset)
        /// Every row is in the database or in other lanes. The lane is there until it is trimmed, and its ledger may be lower than its end.
        case carried

        /// Where the rows end that may be delivered under the lane's own queue id.
        var known: Offset {
            switch self {
            case .opened(let known, _), .doubtful(let known, _), .reused(let known): known
            case .carried: .none
            }
        }
    }

    private struct State {
        var isStopping = false
        var marks: [LaneKey: Mark] = [:]
        /// In the order of asking.
        var waiting: [LaneKey] = []
    }

    private let queue: DurableQueue
    private let intake: LetterIntake
    private let journal: DeliveryJournal
    private let opened: LaneMarkFile
    private let reused: LaneMarkFile
    private let log: Logger
    private let state = Monitor(State())
    private let thread = Mutex<OwnedThread?>(nil)

    private static let pause = Duration.seconds(1)
    private static let rows = 20_000
    private static let bytes = 8 << 20

    /// Notes, lasting, where the lanes end. Before anything is accepted.
    init(
        _ queue: DurableQueue,
        journal: DeliveryJournal,
        log: Logger,
        files: any FileSystem = POSIXFileSystem()
    ) throws(FileFault) {
        self.queue = queue
        self.journal = journal
        self.log = log
        intake = LetterIntake(queue)
        opened = LaneMarkFile(.opened, directory: queue.directory.path, files: files)
        reused = LaneMarkFile(.reused, directory: queue.directory.path, files: files)
        var marks: [LaneKey: Mark] = [:]
        var gone: Set<LaneKey> = []
        for (lane, known) in try reused.readAll() {
            guard let progress = queue.progress(of: lane) else {
                gone.insert(lane)
                continue
            }
            if known >= progress.durable, lane.queue != queue.id {
                marks[lane] = .carried
                continue
            }
            marks[lane] = .reused(known: known)
            log.warning(
                "rows of this lane have offsets that were used before; they are being taken into the queue again",
                metadata: ["lane": "\(lane)", "after": "\(known)"]
            )
        }
        let noted = try opened.readAll()
        for progress in queue.lanes.all.compactMap({ queue.progress(of: $0) }) where marks[progress.key] == nil {
            let known = noted[progress.key] ?? progress.durable
            marks[progress.key] = .opened(known: min(known, progress.durable), end: progress.durable)
        }
        state.withLock { $0.marks = marks }
        note(marks.filter { noted[$0.key] == nil })
        for lane in gone.union(noted.keys) where marks[lane] == nil { forget(lane) }
    }

    private func note(_ marks: [LaneKey: Mark]) {
        for case (let lane, .opened(let known, _)) in marks {
            do throws(FileFault) {
                try opened.write(lane, known)
            } catch {
                // A full disk is to be drained, not to be waited for. What the file is for needs an old image and a crash besides.
                log.error(
                    "where a lane ends can't be noted",
                    metadata: ["lane": "\(lane)", "reason": "\(error)"]
                )
            }
        }
    }

    private func forget(_ lane: LaneKey) {
        do throws(FileFault) {
            try opened.remove(lane)
            try reused.remove(lane)
        } catch {
            // Should it be found again, the lane is held and somebody asked.
            log.error(
                "the note of where a lane ended can't be removed",
                metadata: ["lane": "\(lane)", "reason": "\(error)"]
            )
        }
    }

    /// Where the rows of a lane end that may be delivered under its own queue id; nil if all may.
    func mark(of lane: LaneKey) -> Offset? { state.withLock { $0.marks[lane]?.known } }

    /// A claim found the ledger at or below the mark, so that every row is what its offset says. Returns when no crash can bring the mark back, and whether all rows may
    /// be delivered from here on.
    func verified(_ lane: LaneKey) -> Bool {
        let isOpened = state.withLock { state in
            switch state.marks[lane] {
            case .opened, .doubtful: true
            // After a failover: what was begun is carried through.
            case .reused, .carried, nil: false
            }
        }
        guard isOpened else { return state.withLock { $0.marks[lane] == nil } }
        forget(lane)
        state.withLock { $0.marks[lane] = nil }
        return true
    }

    /// The ledger of a lane is ahead of its mark. Returns at once; with the rows in doubt, if somebody has to decide first.
    func ask(_ lane: LaneKey, known: Offset) -> ClosedRange<Offset>? {
        var doubt: ClosedRange<Offset>?
        state.broadcast { state in
            switch state.marks[lane] {
            case .opened(let known, let end) where known < end, .doubtful(let known, let end):
                state.marks[lane] = .doubtful(known: known, end: end)
                doubt = known.advanced(by: 1)...end
            case .opened(let known, _):
                state.marks[lane] = .reused(known: known)
                state.waiting.append(lane)
            case .reused, .carried: break
            case nil:
                state.marks[lane] = .reused(known: known)
                state.waiting.append(lane)
            }
        }
        return doubt
    }

    /// By order, the rows in doubt came after the image (`replay`), and are taken into the queue again; or they were in it, and are in the database (`skip`).
    func decide(_ lane: LaneKey, _ order: ClaimDecision.Order) {
        state.broadcast { state in
            guard case .doubtful(let known, let end) = state.marks[lane] else { return }
            switch order {
            case .hold: return
            case .replay: state.marks[lane] = .reused(known: known)
            case .skip: state.marks[lane] = .reused(known: end)
            }
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
        state.broadcast { state in
            for (lane, mark) in state.marks where !state.waiting.contains(lane) {
                switch mark {
                case .reused, .carried: state.waiting.append(lane)
                case .opened, .doubtful: break
                }
            }
        }
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
            let next = state.wait { state, _ -> (lane: LaneKey, mark: Mark)?? in
                if state.isStopping { return .some(nil) }
                guard let lane = state.waiting.first, let mark = state.marks[lane] else { return nil }
                return (lane, mark)
            }
            guard let next, let (lane, mark) = next else { return }
            do {
                if case .reused(let known) = mark { try renew(lane, known, begin) }
                settle(lane)
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
        try reused.write(lane, known)
        if lane.queue == queue.id { _ = try queue.beginNewIdentity() }
        try begin()
        let rows = try carry(lane, known)
        // Whoever starts next finds nothing of the lane left to do, for as long as there is the lane.
        try reused.write(lane, queue.progress(of: lane)?.durable ?? known)
        try opened.remove(lane)
        state.withLock { $0.marks[lane] = .carried }
        log.critical(
            "the queue's disk was an old image; rows accepted since are in the queue again under its new id",
            metadata: ["lane": "\(lane)", "after": "\(known)", "rows": "\(rows)", "queue": "\(queue.id)"]
        )
    }

    /// The lane counts as committed to its end: it is trimmed, and removed, as every drained lane is.
    private func settle(_ lane: LaneKey) {
        guard let end = queue.progress(of: lane)?.durable else { return }
        journal.retired(lane, at: end)
        queue.setCommitted(end, of: lane)
        queue.setReplicated(end, of: lane)
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
