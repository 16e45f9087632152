import Delivery
import DurableQueue
import Instruments
import Logging
import Records
import Synchronization
import Topology

/// Takes down what happens on the lanes: moves the queue's watermarks, counts, and writes the log.
///
/// Told on the lanes' flusher threads; read by anybody.
final class DeliveryJournal: DeliveryObserver, Sendable {
    /// What is known of a lane's delivery.
    struct LaneRecord: Sendable {
        /// A word for what the lane does.
        var state = "waiting"
        /// Why it does not get on, in a sentence.
        var fault: String?
        var epoch: Int64 = 0
        /// The choice that the claim's connection was made by; nil until it is told.
        var choice: PrimaryChoice?
        /// The last position that the ledger showed; nil before the first claim.
        var ledger: Offset?
        /// Rows that stand in PostgreSQL: what the ledger said at the claim, less the dead letters below it, and what was copied since.
        var committedRows = 0
        /// Positions of dead letters that the ledger has passed.
        var deadRows = 0
    }

    let committedRows = Counter()
    let flushRows = Histogram()
    let flushMicroseconds = Histogram()
    let claims = Counter()
    let fenced = Counter()
    /// How often the ledger went back, and how many rows went again for it.
    let rewinds = Counter()
    let resentRows = Counter()
    let deadLettered = Counter()
    private let faults = Mutex<[String: Int]>([:])
    private let lanes = Mutex<[LaneKey: LaneRecord]>([:])
    private let queue: DurableQueue
    private let deadLetters: any DeadLetterStore
    private let log: Logger
    /// Committed counts as replicated where no replica is asked.
    private let trimsAtCommit: Bool

    init(queue: DurableQueue, deadLetters: any DeadLetterStore, trimsAtCommit: Bool, log: Logger) {
        self.queue = queue
        self.deadLetters = deadLetters
        self.trimsAtCommit = trimsAtCommit
        self.log = log
    }

    func record(of lane: LaneKey) -> LaneRecord {
        lanes.withLock { $0[lane] ?? LaneRecord() }
    }

    /// Faults by the first two characters of the SQLSTATE, or `connection`.
    var faultCounts: [String: Int] { faults.withLock { $0 } }

    func observe(_ event: DeliveryEvent, of lane: LaneKey) {
        var log = log
        log[metadataKey: "lane"] = "\(lane)"
        switch event {
        case .claimed(let ledger, let undecided): claimed(ledger, undecided, lane, log)
        case .flushed(let ledger, let rows, _, let duration): flushed(ledger, rows, duration, lane)
        case .rowsDiffer(let sent, let copied):
            log.warning(
                "the server copied another number of rows than it was sent: a trigger drops or adds some",
                metadata: ["sent": "\(sent)", "copied": "\(copied)"]
            )
        case .fault(let fault, let kind, let pause): faulted(fault, kind, pause, lane, log)
        case .sourceFault(let fault, _): stalled("the queue can't be read: \(fault.message)", lane, log)
        case .deadLetterFault(let fault, _): stalled("the dead-letter store takes nothing: \(fault.message)", lane, log)
        case .outcome(let outcome, let from, let to):
            log.info(
                "a flush in doubt was settled by the ledger",
                metadata: ["outcome": "\(outcome)", "from": "\(from)", "to": "\(to)"]
            )
        case .deadLettered(let offset, let stream, let reason):
            deadLettered.add()
            log.warning(
                "a row was refused and is in the dead-letter store",
                metadata: [
                    "offset": "\(offset)", "stream": "\(stream)", "sqlstate": "\(reason.sqlState)",
                    "reason": "\(reason.message)",
                ]
            )
        case .setAside(let range, let stream):
            let rows = Int(range.upperBound.rawValue - range.lowerBound.rawValue) + 1
            deadLettered.add(rows)
            log.warning(
                "rows of a parked stream were set aside",
                metadata: ["rows": "\(range)", "stream": "\(stream)"]
            )
        case .unreadable(let range):
            log.critical(
                "positions can't be read from the disk any more: these events are lost",
                metadata: [
                    "first": "\(range.lowerBound)", "last": "\(range.upperBound)", "rows": "\(range.rows)",
                ]
            )
        case .parked(let stream, let reason):
            log.error(
                "a stream fails as a whole and is parked; mend the table, then: forebay dlq retry --stream \(stream)",
                metadata: ["stream": "\(stream)", "sqlstate": "\(reason.sqlState)", "reason": "\(reason.message)"]
            )
        case .unparked(let stream): log.notice("a parked stream goes on", metadata: ["stream": "\(stream)"])
        case .wentBack(let from, let to, let place): wentBack(from, to, place, log)
        case .skipped(let range):
            log.critical(
                "positions are skipped by order and not sent again; they are in the dead-letter store",
                metadata: [
                    "first": "\(range.lowerBound)", "last": "\(range.upperBound)", "rows": "\(range.rows)",
                ]
            )
        case .fenced:
            fenced.add()
            log.error("another session claimed this lane or moved its ledger; claiming again")
        case .held(let hold): held(hold, lane, log)
        }
    }

    private func wentBack(_ from: Offset, _ to: Offset, _ place: ClaimDecision.Place, _ log: Logger) {
        let rows = to.distance(to: from)
        rewinds.add()
        resentRows.add(rows)
        log.warning(
            "the ledger went back, and what is behind it is sent again",
            metadata: [
                "from": "\(from)", "to": "\(to)", "rows": "\(rows)",
                "why": place == .behind ? "failover" : place == .trimmed ? "beyond what is on disk" : "restore",
            ]
        )
    }

    /// The lanes that wait for an order.
    var held: Set<LaneKey> {
        lanes.withLock { Set($0.filter { $0.value.state == "held" }.keys) }
    }

    /// All of a lane is in the database, or in other lanes.
    func retired(_ lane: LaneKey, at end: Offset) {
        change(lane) { record in
            record = LaneRecord()
            record.state = "retired"
            record.ledger = end
            record.committedRows = Int(end.rawValue)
        }
    }

    /// The last claim was made where this choice leads.
    func connected(_ lane: LaneKey, by choice: PrimaryChoice?) {
        change(lane) { $0.choice = choice }
    }

    private func claimed(_ ledger: LedgerRow, _ undecided: Offset, _ lane: LaneKey, _ log: Logger) {
        claims.add()
        let dead = deadRows(lane, after: .none, to: ledger.position)
        change(lane) { record in
            record.state = "delivering"
            record.fault = nil
            record.epoch = ledger.epoch
            record.choice = nil
            record.ledger = ledger.position
            record.deadRows = dead
            record.committedRows = Int(ledger.position.rawValue) - dead
        }
        moveWatermarks(to: ledger.position, undecided: undecided, lane)
        log.info("claimed", metadata: ["epoch": "\(ledger.epoch)", "position": "\(ledger.position)"])
    }

    private func flushed(_ ledger: LedgerRow, _ rows: Int, _ duration: Duration?, _ lane: LaneKey) {
        committedRows.add(rows)
        flushRows.record(rows)
        if let duration { flushMicroseconds.record(Int(duration / .microseconds(1))) }
        let before = record(of: lane).ledger ?? .none
        let dead = deadRows(lane, after: before, to: ledger.position)
        change(lane) { record in
            record.state = "delivering"
            record.fault = nil
            record.ledger = ledger.position
            record.committedRows += rows
            record.deadRows += dead
        }
        moveWatermarks(to: ledger.position, lane)
    }

    private func moveWatermarks(to position: Offset, undecided: Offset = .none, _ lane: LaneKey) {
        queue.setCommitted(position, undecided: undecided, of: lane)
        if trimsAtCommit { queue.setReplicated(position, of: lane) }
    }

    private func deadRows(_ lane: LaneKey, after: Offset, to position: Offset) -> Int {
        guard position > after else { return 0 }
        return deadLetters.recorded(lane, in: after.advanced(by: 1)...position).reduce(0) {
            $0 + Int($1.upperBound.rawValue - $1.lowerBound.rawValue) + 1
        }
    }

    private func change(_ lane: LaneKey, _ body: (inout LaneRecord) -> Void) {
        lanes.withLock { body(&$0[lane, default: LaneRecord()]) }
    }

    /// Returns whether the fault is another one than before.
    private func setFault(_ reason: String, state: String, of lane: LaneKey) -> Bool {
        var isNews = false
        change(lane) { record in
            isNews = record.fault != reason
            record.state = state
            record.fault = reason
        }
        return isNews
    }

    private func faulted(_ fault: DeliveryFault, _ kind: ErrorClass, _ pause: Duration, _ lane: LaneKey, _ log: Logger)
    {
        let (label, reason) =
            switch fault.cause {
            case .connection(let text): ("connection", text)
            case .server(let error): (String(error.sqlState.prefix(2)), "\(error.sqlState) \(error.message)")
            }
        faults.withLock { $0[label, default: 0] += 1 }
        let isNews = setFault(reason, state: "waiting", of: lane)
        let level: Logger.Level = isNews ? .warning : .debug
        log.log(
            level: level,
            "delivery waits; ingest goes on",
            metadata: ["phase": "\(fault.phase)", "class": "\(kind)", "reason": "\(reason)", "pause": "\(pause)"]
        )
    }

    private func stalled(_ reason: String, _ lane: LaneKey, _ log: Logger) {
        let isNews = setFault(reason, state: "waiting", of: lane)
        if isNews { log.error("\(reason)") }
    }

    /// The ledger is ahead of what an earlier process found, and nobody can tell whether the rows that came in between are in the database.
    func held(_ lane: LaneKey, inDoubtOf rows: ClosedRange<Offset>, ledger: Offset) {
        let reason =
            "the ledger stands at \(ledger), beyond what this queue had when it was opened: the disk is an old image; its positions \(rows.lowerBound) to "
            + "\(rows.upperBound) (\(rows.rows) rows) were either in the image, and are in the database, or came since, and are not: "
            + "forebay lanes resume --skip for the first, --replay for the second"
        if setFault(reason, state: "held", of: lane) {
            log.critical("the lane is held: \(reason)", metadata: ["lane": "\(lane)"])
        }
    }

    private func held(_ hold: Hold, _ lane: LaneKey, _ log: Logger) {
        let reason =
            switch hold {
            case .gap(let range):
                "the database needs the positions \(range.lowerBound) to \(range.upperBound) (\(range.rows) rows), which the queue no longer has: "
                    + "bring a node back that has them, or give them up: forebay lanes resume --replay or --skip"
            case .restored(let ledger, let committed):
                "the ledger went back to \(ledger) from \(committed), further than a failover explains: a backup was restored; "
                    + "\(ledger.distance(to: committed)) rows wait for forebay lanes resume --replay or --skip"
            case .ledgerAhead(let ledger, let known):
                "the ledger stands at \(ledger), beyond what this queue ever had (\(known)): the disk is an old image; the queue goes on under a new id"
            }
        let isNews = setFault(reason, state: hold.isRenewed ? "renewing" : "held", of: lane)
        if isNews { log.critical(hold.isRenewed ? "\(reason)" : "the lane is held: \(reason)") }
    }
}

extension ClosedRange<Offset> {
    /// How many positions there are.
    var rows: Int { lowerBound.distance(to: upperBound) + 1 }
}

extension Hold {
    /// Nobody has to decide.
    fileprivate var isRenewed: Bool {
        switch self {
        case .ledgerAhead: true
        case .gap, .restored: false
        }
    }
}
