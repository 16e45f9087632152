import Glibc
import IngestFormats
import Instruments
import Logging
import NIOCore
import Records

/// What the connections of one event loop share: the appends that are under way, decoders, the clock of the answers,
/// and the sweep that finds connections whose time is up.
///
/// Owner: its event loop; every method begins with that. Other threads reach it through the inbox alone.
final class IngestLoop: @unchecked Sendable {
    // Sendable because all mutable state is touched on the event loop only, which every entry asserts.

    let eventLoop: any EventLoop
    /// The loop's place among all.
    private let number: Int
    private let count: Int
    let backend: any IngestBackend
    let configuration: IngestConfiguration
    let instruments: IngestInstruments
    let budget: MemoryBudget
    let logger: Logger
    let bodies: BodyDecoder
    var answers = AnswerWriter()

    /// A token that is out: with the queue, or with a wait.
    private struct Slot {
        var generation: UInt32 = 0
        var holder: Holder?
    }

    private enum Holder {
        case append(SharedBatch)
        case wait(any LoopConnection, tag: UInt64)
    }

    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var connections: [any LoopConnection] = []
    private var mail = LoopInbox.Mail()
    private var told: [any LoopConnection] = []
    private var sweep: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private(set) var isDraining = false
    /// The batches that this turn's requests fill, one for each stream.
    private var gathered: [SharedBatch] = []
    /// Batches whose outcome is known, to be used again.
    private var resting: [SharedBatch] = []
    /// The turn will end with a commit.
    private var hasAppended = false
    private var lanes: LaneStretch
    private var nextBadLineNote = NIODeadline.uptimeNanoseconds(0)
    private var badLinesUnsaid = 0
    private lazy var inbox = LoopInbox(eventLoop: eventLoop) { [weak self] in self?.openMail() }

    init(
        eventLoop: any EventLoop,
        number: Int,
        of count: Int,
        backend: any IngestBackend,
        configuration: IngestConfiguration,
        instruments: IngestInstruments,
        budget: MemoryBudget,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.number = number
        self.count = count
        lanes = LaneStretch(lane: number)
        self.backend = backend
        self.configuration = configuration
        self.instruments = instruments
        self.budget = budget
        self.logger = logger
        bodies = BodyDecoder(limits: configuration.decodeLimits, inflatedLimit: configuration.maxInflatedBytes)
    }

    /// Starts the clock and the sweep. Called once, on the loop.
    func start() {
        eventLoop.assertInEventLoop()
        answers.setTime(time(nil))
        let tick = TimeAmount(configuration.sweepInterval)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { [weak self] _ in
            self?.sweepDeadlines()
        }
    }

    // MARK: - Connections

    func add(_ connection: any LoopConnection) {
        eventLoop.assertInEventLoop()
        connection.loopIndex = connections.count
        connections.append(connection)
        instruments.connections.add(1)
        if isDraining { connection.drain(eventLoop.now) }
    }

    func remove(_ connection: any LoopConnection) {
        eventLoop.assertInEventLoop()
        let last = connections.removeLast()
        if last !== connection {
            last.loopIndex = connection.loopIndex
            connections[connection.loopIndex] = last
        }
        instruments.connections.add(-1)
        if connections.isEmpty { finishDraining() }
    }

    private func sweepDeadlines() {
        answers.setTime(time(nil))
        let now = eventLoop.now
        for connection in connections { connection.checkDeadlines(now) }
    }

    /// Lets every connection finish what it has begun; closes those that are left after `grace`. The future succeeds
    /// when none is left.
    func drain(grace: TimeAmount) -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        let promise = drained ?? eventLoop.makePromise(of: Void.self)
        drained = promise
        guard !isDraining else { return promise.futureResult }
        isDraining = true
        let now = eventLoop.now
        for connection in connections { connection.drain(now) }
        if connections.isEmpty {
            finishDraining()
        } else {
            let end = eventLoop.scheduleTask(in: grace) {
                for connection in self.connections { connection.closeNow() }
            }
            promise.futureResult.whenComplete { _ in end.cancel() }
        }
        return promise.futureResult
    }

    private func finishDraining() {
        guard isDraining, let promise = drained else { return }
        sweep?.cancel()
        promise.succeed(())
    }

    // MARK: - Appends and waits

    /// The batch for the rows of a request of `bodyBytes` that wants nothing but to be stored. ``share(_:of:for:tag:charge:)``
    /// follows, unless the request gave no rows.
    func sharedBatch(for plan: DecodePlan, _ bodyBytes: Int) -> SharedBatch {
        eventLoop.assertInEventLoop()
        if let index = gathered.firstIndex(where: { $0.rows.layouts === plan }) {
            let open = gathered[index]
            if open.rows.byteCount + bodyBytes <= SharedBatch.limit { return open }
            gathered.remove(at: index)
            handOver(open)
        }
        let fresh = freshBatch(for: plan, bodyBytes)
        gathered.append(fresh)
        return fresh
    }

    /// An empty batch.
    func freshBatch(for plan: DecodePlan, _ bodyBytes: Int) -> SharedBatch {
        for index in resting.indices.reversed() where resting[index].renew(plan) {
            return resting.remove(at: index)
        }
        return SharedBatch(RowBatch(layouts: plan, capacity: bodyBytes + bodyBytes / 4 + 4096))
    }

    /// Takes the last `rows` rows of a shared batch for a request's; they are handed to the queue when the turn ends.
    /// `charge` bytes of the budget go back when the queue is done with them.
    func share(_ batch: SharedBatch, rows: Int, for connection: any LoopConnection, tag: UInt64, charge: Int) {
        eventLoop.assertInEventLoop()
        batch.add(connection, tag: tag, rows: rows, charge: charge)
        commitAtEndOfTurn()
    }

    /// What an append's rows must stay in order with.
    enum Order {
        case none
        case ofConnection
        case ofKey(UInt64)
    }

    /// Hands a batch of one request to the queue that must not be mixed with others, to be committed with whatever else
    /// this turn of the loop brings.
    func append(
        _ rows: RowBatch,
        order: Order,
        keyed: KeyedRequest?,
        for connection: any LoopConnection,
        tag: UInt64,
        charge: Int
    ) {
        eventLoop.assertInEventLoop()
        // What came before it on its connection stays before it.
        handOverGathered()
        let lane: LaneChoice =
            switch order {
            case .none: anyLane(for: rows)
            case .ofConnection: .connection(number: connection.number, loop: number, loops: count)
            case .ofKey(let hash): .ordered(hash)
            }
        let batch = SharedBatch(rows)
        batch.add(connection, tag: tag, rows: rows.rowCount, charge: charge)
        handOver(batch, lane: lane, keyed: keyed)
        commitAtEndOfTurn()
    }

    private func handOverGathered() {
        for batch in gathered {
            if batch.shares.isEmpty { rest(batch) } else { handOver(batch) }
        }
        gathered.removeAll(keepingCapacity: true)
    }

    private func handOver(_ batch: SharedBatch) {
        handOver(batch, lane: anyLane(for: batch.rows), keyed: nil)
    }

    private func anyLane(for rows: RowBatch) -> LaneChoice {
        lanes.add(rows.byteCount)
        return .any(lanes.lane)
    }

    private func handOver(_ batch: SharedBatch, lane: LaneChoice, keyed: KeyedRequest?) {
        backend.append(batch.rows, lane: lane, keyed: keyed, sink: inbox, token: takeSlot(.append(batch)))
    }

    private func commitAtEndOfTurn() {
        guard !hasAppended else { return }
        hasAppended = true
        // Runs after the loop has handled every socket that was ready.
        eventLoop.assumeIsolated().execute { [self] in
            hasAppended = false
            handOverGathered()
            lanes.endTurn()
            backend.commitAppended()
        }
    }

    func wait(for level: WaitLevel, at position: Position, for connection: any LoopConnection, tag: UInt64) {
        eventLoop.assertInEventLoop()
        let token = takeSlot(.wait(connection, tag: tag))
        backend.wait(for: level, at: position, deadline: configuration.waitTimeout) { [inbox] outcome in
            inbox.waitDidEnd(token, outcome)
        }
    }

    private func takeSlot(_ holder: Holder) -> UInt64 {
        let index: Int
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = slots.count
            slots.append(Slot())
        }
        slots[index].holder = holder
        return UInt64(slots[index].generation) << 32 | UInt64(index)
    }

    /// Frees the slot of a token that came back; nil for one that came back before.
    private func giveSlot(_ token: UInt64) -> Holder? {
        let index = Int(token & 0xFFFF_FFFF)
        guard index < slots.count, slots[index].generation == UInt32(token >> 32), let holder = slots[index].holder
        else { return nil }
        slots[index].generation &+= 1
        slots[index].holder = nil
        freeSlots.append(index)
        return holder
    }

    private func openMail() {
        eventLoop.assertInEventLoop()
        inbox.empty(into: &mail)
        for (token, outcome) in mail.appends {
            guard case .append(let batch) = giveSlot(token) else { continue }
            budget.release(batch.charge)
            batch.tell(outcome) { share, outcome in
                share.connection.appendDidEnd(share.tag, outcome)
                told.append(share.connection)
            }
            rest(batch)
        }
        for (token, outcome) in mail.waits {
            guard case .wait(let connection, let tag) = giveSlot(token) else { continue }
            connection.waitDidEnd(tag, outcome)
            told.append(connection)
        }
        mail.appends.removeAll(keepingCapacity: true)
        mail.waits.removeAll(keepingCapacity: true)
        // A connection that was told several times has nothing left to write after the first.
        let now = eventLoop.now
        for connection in told { connection.turnDidEnd(now) }
        told.removeAll(keepingCapacity: true)
    }

    /// Keeps a batch for a later turn, but not more of them than are ever out at a time.
    private func rest(_ batch: SharedBatch) {
        batch.settle()
        if resting.count == 8 { resting.removeFirst() }
        resting.append(batch)
    }

    func schedule(in delay: TimeAmount, _ work: @escaping () -> Void) {
        eventLoop.assumeIsolated().scheduleTask(in: delay, work)
    }

    /// Logs a bad line of a sender that wants no answers, but not each of many.
    func noteBadLine(_ reason: String, _ now: NIODeadline) {
        guard now >= nextBadLineNote else {
            badLinesUnsaid += 1
            return
        }
        logger.warning("a line is no event", metadata: ["reason": "\(reason)", "unsaid": "\(badLinesUnsaid)"])
        nextBadLineNote = now + .seconds(10)
        badLinesUnsaid = 0
    }

    // MARK: - Memory

    func allocate(_ capacity: Int) -> ByteBuffer {
        ByteBufferAllocator().buffer(capacity: capacity)
    }

    /// Gets a connection in line for `amount` bytes; it is told when it has them. Returns what cancels that.
    func waitForBudget(_ amount: Int, for connection: any LoopConnection) -> UInt64 {
        eventLoop.assertInEventLoop()
        instruments.budgetWaits.add()
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        return budget.wait(amount) { [eventLoop] granted in
            eventLoop.execute { bound.value.budgetWasGranted(granted, eventLoop.now) }
        }
    }
}
