import Delivery
import Records
import SegmentedLog
import Topology

/// One life of the proxy: the production types of the queue, of the delivery and of the dead letters, called in the order in which the threads of `DurableQueue`
/// and of the runtime call them.
///
/// What a thread does between two waits is one call here: a writer's group commits, a delivery's step, a look of the housekeeper.
final class SimulatedProxy {
    /// Why a start ended the process.
    struct StartFault: Error {
        var reason: String
    }

    let around: ProxySurroundings
    let context: LogContext
    let active: [SimulatedLane]
    private(set) var draining: [SimulatedLane]
    let letters: DeadLetterLog
    private let cabinet: any DeadLetterStore
    /// nil where there is one PostgreSQL.
    private(set) var watch: SimulatedWatch?
    var keys: KeyAdmission<Waiting>
    var isCaring = false
    var isAtDesk = false
    /// When the hints were last written; nil makes them due.
    private var lastHints: Duration?
    private var random: SplitMix

    /// Who waits for the outcome of a request that is under way for another.
    struct Waiting: Sendable {
        var sink: any AppendSink
        var token: UInt64
    }

    var lanes: [SimulatedLane] { active + draining }

    // MARK: The start

    init(lanes count: Int, _ around: ProxySurroundings, seed: UInt64) throws(StartFault) {
        self.around = around
        var random = SplitMix(seed: seed)
        do throws(LogFault) {
            let directory = ProxySurroundings.directory
            let files = around.fileSystem
            try Self.onDisk { () throws(FileFault) in try directory.create(on: files) }
            let id = try directory.settleIdentity(on: files, using: &random)
            let context = try Self.makeContext(around, random.next())
            var active: [SimulatedLane] = []
            var draining: [SimulatedLane] = []
            let existing = try Self.onDisk { () throws(FileFault) in try directory.laneKeys(on: files) }
            let keys = (0..<count).map { LaneKey(queue: id, lane: LaneID(UInt16($0))) }
            for key in keys { active.append(try Self.open(key, context, isDraining: false)) }
            for key in existing where !keys.contains(key) {
                draining.append(try Self.open(key, context, isDraining: true))
            }
            try Self.onDisk { () throws(FileFault) in try files.syncDirectory(directory.lanes) }
            self.context = context
            self.active = active
            self.draining = draining
            self.keys = KeyAdmission(try Self.restoreKeys(active + draining, context, around))
        } catch {
            throw StartFault(reason: "\(error)")
        }
        let salts = Entropy(SplitMix(seed: random.next()))
        do throws(DeadLetterLogFault) {
            letters = try DeadLetterLog.open(
                ProxySurroundings.letters,
                files: around.fileSystem,
                options: Self.letterOptions,
                salt: { salts.word() }
            )
        } catch {
            throw StartFault(reason: "\(error)")
        }
        cabinet = around.letters(SimulatedCabinet(letters, didRecord: around.didRecord))
        self.random = random
        if let cluster = around.watch { watch = SimulatedWatch(cluster, of: self) }
        for lane in active + draining { startDelivery(of: lane) }
    }

    private static var letterOptions: DeadLetterLog.Options {
        var options = DeadLetterLog.Options()
        options.maximumFileBytes = 2 << 10
        return options
    }

    private static func onDisk<Value>(_ body: () throws(FileFault) -> Value) throws(LogFault) -> Value {
        do throws(FileFault) { return try body() } catch { throw .file(error) }
    }

    private static func makeContext(_ around: ProxySurroundings, _ seed: UInt64) throws(LogFault) -> LogContext {
        let files = around.fileSystem
        let layouts = try onDisk { () throws(FileFault) in
            var faults: [String] = []
            return try LayoutCatalogue.open(ProxySurroundings.directory.layouts, on: files, faults: &faults)
        }
        var ring = KeyRing()
        if around.plan.isEncrypted {
            do throws(KeyRing.Fault) {
                ring = try KeyRing(keys: ["k": [UInt8](repeating: 7, count: 32)], active: "k")
            } catch {
                preconditionFailure("the ring is well formed: \(error)")
            }
        }
        return LogContext(
            fileSystem: files,
            options: around.plan.log,
            budget: DiskBudget(limit: around.plan.budgetBytes, reserve: 0),
            layouts: layouts,
            keyRing: ring,
            entropy: Entropy(SplitMix(seed: seed))
        )
    }

    private static func open(
        _ key: LaneKey,
        _ context: LogContext,
        isDraining: Bool
    ) throws(LogFault) -> SimulatedLane {
        let opened = try LaneRecovery.open(key, in: ProxySurroundings.directory.lane(key), context: context)
        context.budget.add(opened.bytes)
        return SimulatedLane(opened, isDraining: isDraining)
    }

    private static func restoreKeys(
        _ lanes: [SimulatedLane],
        _ context: LogContext,
        _ around: ProxySurroundings
    ) throws(LogFault) -> IdempotencyWindow {
        let maximum = 100_000
        guard around.restoresKeys else {
            return IdempotencyWindow(maxEntries: maximum, window: around.plan.window)
        }
        return try IdempotencyWindow.restored(
            from: lanes.map { KeyHistory(context: context, catalogue: $0.catalogue) },
            maxEntries: maximum,
            window: around.plan.window,
            at: around.clock.wall
        )
    }

    private func startDelivery(of lane: SimulatedLane) {
        if let cluster = around.watch {
            lane.session = ClusterSession(
                cluster.cluster,
                choice: { [unowned self] in watch?.choice ?? .none(.away) },
                lookAgain: { [unowned self] in watch?.lookAgain() },
                open: cluster.open
            )
        }
        lane.delivery = LaneDelivery(
            lane: lane.key,
            opened: lane.catalogue.end,
            committed: lane.marks.committed,
            undecided: lane.marks.undecided,
            source: SimulatedSource(lane.catalogue, context, groupsRows: around.plan.groupsRows),
            destination: around.connect(lane.session),
            deadLetters: cabinet,
            observer: LaneObserver(lane, around),
            clock: around.clock,
            settings: around.plan.delivery,
            randomness: SplitMix(seed: random.next())
        )
    }

    // MARK: An append, as `DurableQueue.append` has it

    func append(
        _ batch: RowBatch,
        lane number: Int,
        keyed: KeyedRequest?,
        sink: any AppendSink,
        token: UInt64
    ) {
        let lane = active[number % active.count]
        if let keyed {
            switch keys.begin(keyed, Waiting(sink: sink, token: token), at: around.clock.wall.seconds) {
            case .proceed: break
            case .attached: return around.count(.attachedRepeats, 1)
            case .answered(let outcome):
                around.count(outcome == .keyReused ? .reusedKeys : .keyedRepeats, 1)
                return sink.appendsDidFinish([(token, outcome)])
            }
        }
        let request = AppendRequest(batch: batch, keyed: keyed, sink: sink, token: token)
        if lane.isFull {
            var answers: [Answer] = []
            settle(request, .full, &answers)
            return send(answers)
        }
        lane.inbox.append(request)
    }

    struct Answer {
        var sink: any AppendSink
        var token: UInt64
        var outcome: AppendOutcome
    }

    private func settle(
        _ request: AppendRequest,
        _ outcome: AppendOutcome,
        inDoubtOf lane: LaneKey? = nil,
        _ answers: inout [Answer]
    ) {
        answers.append(Answer(sink: request.sink, token: request.token, outcome: outcome))
        guard let keyed = request.keyed else { return }
        let settled = keys.settle(keyed, outcome, inDoubtOf: lane, at: around.clock.wall.seconds)
        for waiter in settled.waiters {
            answers.append(Answer(sink: waiter.sink, token: waiter.token, outcome: settled.answer))
        }
    }

    /// A process that is gone answers nobody.
    private func send(_ answers: [Answer]) {
        guard !around.fuse.isBlown else { return }
        for answer in answers { answer.sink.appendsDidFinish([(answer.token, answer.outcome)]) }
    }

    // MARK: A writer's turn, as `LaneWriter.commit` has it

    func write(_ lane: SimulatedLane) {
        let work = lane.inbox
        lane.inbox.removeAll(keepingCapacity: true)
        lane.isWriting = true
        defer { lane.isWriting = false }
        var start = 0
        while start < work.count, !around.fuse.isBlown {
            let segments = lane.catalogue.segments.count
            let spares = lane.catalogue.spares.count
            let wasReadOnly = lane.log.readOnlyReason != nil
            let result = lane.log.append(work, from: start, at: around.clock.wall)
            let requests = work[start..<start + result.taken]
            var answers: [Answer] = []
            let rows = result.settle(requests, of: lane.key) { request, outcome in
                settle(request, outcome, inDoubtOf: result.isInDoubt ? lane.key : nil, &answers)
            }
            if lane.log.readOnlyReason == nil { keys.endDoubts(of: lane.key) }
            start += result.taken
            note(result, rows: rows, lane)
            if lane.catalogue.segments.count > segments {
                around.count(.rotations, 1)
                if lane.catalogue.spares.count < spares { around.count(.recycled, 1) }
            }
            if lane.log.readOnlyReason != nil, !wasReadOnly, !around.fuse.isBlown { around.count(.readOnlyLanes, 1) }
            if case .full = result.ending { lane.isFull = true }
            send(answers)
        }
    }

    private func note(_ result: LaneLog.GroupResult, rows: Int, _ lane: SimulatedLane) {
        switch result.ending {
        case .durable where rows > 0:
            around.count(.groupCommits, 1)
            around.history.note(
                .proxy,
                "lane \(lane.key.lane) committed \(result.taken) requests, offsets \(result.first) to \(lane.catalogue.end)"
            )
        case .durable: break
        case .full: around.history.note(.proxy, "lane \(lane.key.lane) has no room for a segment")
        case .failed(let reason): around.history.note(.proxy, "lane \(lane.key.lane): the group failed: \(reason)")
        }
    }

    // MARK: A delivery's turn, as the runtime's `LaneWorker` has it

    func deliver(_ lane: SimulatedLane) {
        guard let delivery = lane.delivery else { return }
        lane.isDelivering = true
        defer { lane.isDelivering = false }
        lane.seenEnd = lane.catalogue.end
        lane.isWoken = false
        if let (order, system) = lane.order { delivery.resume(order, in: system) }
        lane.order = nil
        if lane.hasOtherPrimary { delivery.primaryChanged() }
        lane.hasOtherPrimary = false
        let next = delivery.step(horizon: watch?.machine.horizon(of: lane.key) ?? .none)
        lane.sleepsRegardless = false
        lane.hold = nil
        switch next {
        case .again: lane.wakesAt = .zero
        case .waitForData(let until): lane.wakesAt = until
        case .sleep(let until):
            lane.wakesAt = until
            lane.sleepsRegardless = true
        case .held(let hold, let until):
            lane.wakesAt = until
            lane.sleepsRegardless = true
            lane.hold = hold
        case .stopped: lane.wakesAt = nil
        }
        if lane.isWoken, lane.wakesAt != nil { lane.wake() }
    }

    func tryParkedStreams() {
        for lane in lanes where !lane.isDelivering {
            lane.delivery?.tryParkedStreams()
            lane.wakesAt = .zero
        }
    }

    // MARK: The housekeeper's turn, as `QueueCare.look` has it

    func care() {
        isCaring = true
        defer { isCaring = false }
        let isPressed = isPressed
        for lane in lanes {
            let lacking = lane.marks.trimmable(isPressed: true) > lane.marks.replicated && isPressed
            let round = LaneMaintenance.Round(
                retention: around.plan.retention,
                window: around.plan.window,
                replicated: lane.marks.trimmable(isPressed: isPressed),
                held: lane.marks.replicated,
                isDraining: lane.isDraining,
                isPressed: isPressed
            )
            do throws(LogFault) {
                let maintenance = LaneMaintenance(context: context, catalogue: lane.catalogue)
                let trimmed = try maintenance.look(round, at: around.clock.wall)
                around.count(.trimmed, trimmed.segments)
                if trimmed.segments > 0 {
                    around.history.note(
                        .proxy,
                        "lane \(lane.key.lane) trimmed \(trimmed.segments) segments; it begins at \(lane.catalogue.first)"
                    )
                }
            } catch {
                around.history.note(.proxy, "care for lane \(lane.key.lane) failed: \(error)")
            }
            around.didTrim(self, lane.key, Offset(lane.catalogue.first.rawValue - 1), lacking)
        }
        for lane in active where lane.log.readOnlyReason != nil && !lane.isWriting {
            // It is the writer's thread that does it, on the housekeeper's order.
            lane.isWriting = true
            lane.log.revive(at: around.clock.wall)
            lane.isWriting = false
            if lane.log.readOnlyReason == nil { keys.endDoubts(of: lane.key) }
        }
        for lane in active where lane.isFull && (!lane.catalogue.spares.isEmpty || hasRoomForSegment) {
            lane.isFull = false
        }
        writeHints()
        for lane in draining where lane.catalogue.segments.isEmpty && !lane.isDelivering { remove(lane) }
    }

    var isPressed: Bool { !hasRoomForSegment || active.contains(where: \.isFull) }

    private var hasRoomForSegment: Bool {
        let bytes = context.options.segmentBytes
        guard context.budget.hasRoom(for: bytes) else { return false }
        let available = try? context.fileSystem.availableBytes(at: ProxySurroundings.directory.path)
        return (available ?? 0) >= bytes
    }

    private func writeHints() {
        if let lastHints, around.clock.now - lastHints <= .seconds(2) { return }
        lastHints = around.clock.now
        for lane in lanes {
            var fresh = LaneHints(durable: lane.catalogue.end, marks: lane.marks)
            guard fresh != lane.hints else { continue }
            let compared = fresh
            fresh.written = around.clock.wall
            let maintenance = LaneMaintenance(context: context, catalogue: lane.catalogue)
            if (try? maintenance.write(fresh)) != nil { lane.hints = compared }
        }
    }

    private func remove(_ lane: SimulatedLane) {
        draining.removeAll { $0 === lane }
        lane.delivery?.stop()
        let maintenance = LaneMaintenance(context: context, catalogue: lane.catalogue)
        guard (try? maintenance.removeRest(keepsEnd: true)) != nil, lane.catalogue.end > .none else { return }
        around.count(.drainedLanes, 1)
        around.history.note(.proxy, "lane \(lane.key.lane) is drained and removed")
    }

    // MARK: The end in order, as `DurableQueue.close` has it

    /// Stores what waits, gives the rest of the active segments back, says in the hints how far the lanes got.
    func close() {
        for lane in active {
            write(lane)
            _ = lane.log.close(at: around.clock.wall)
        }
        for lane in lanes { lane.delivery?.stop() }
        lastHints = nil
        writeHints()
    }

    // MARK: What the delivery is told from outside

    /// Each claimed lane with its row as the primary last showed it.
    var claims: [ClusterMachine.Claim] {
        lanes.compactMap { lane in
            lane.ledger.map { ClusterMachine.Claim(lane: lane.key, row: $0, choice: lane.claimedBy) }
        }
    }

    /// Another node is the primary, or there is one again; nil if nobody may be written to.
    func primaryChanged(to node: NodeAddress?) {
        for lane in lanes {
            lane.hasOtherPrimary = true
            lane.session?.breakOff(unlessTo: node)
            lane.wake()
        }
    }

    /// What `forebay lanes resume` does, as `ResumeDesk` has it. Returns whether anything waited for it.
    func resume(_ order: ClaimDecision.Order) -> Bool {
        if let watch, case .none(let obstacle) = watch.choice, obstacle.isForAnOperator {
            for lane in lanes {
                lane.order = (order, .other)
                lane.wake()
            }
            if watch.adopt() { return true }
            for lane in lanes {
                lane.order = nil
                lane.delivery?.withdraw()
            }
            return false
        }
        let held = lanes.filter { $0.hold != nil }
        for lane in held {
            lane.order = (order, .same)
            lane.wake()
        }
        return !held.isEmpty
    }

    /// Notes what the only replica of the only PostgreSQL shows.
    func note(replica: SimulatedPostgres.State) {
        for lane in lanes {
            guard let claim = lane.ledger else { continue }
            let shown = [replica[lane.key].ledger]
            if let watermark = ReplicatedWatermark.select(from: shown, required: 1, claim: claim) {
                lane.marks.setReplicated(watermark)
            }
        }
    }

    // MARK: Upkeep of the dead letters, as the runtime's `Upkeep` has it

    func finishRetries(in queue: any LetterQueue) {
        let letters = try? DeadLetterDesk(letters).finishRetries(in: queue, time: around.clock.wallTime)
        guard let letters, letters > 0 else { return }
        around.history.note(.proxy, "\(letters) letters are marked, whose retry had been cut short")
    }

    func compactLetters() {
        let done = try? letters.compact { key in
            lanes.first { $0.key == key }?.catalogue.gone ?? Offset(.max)
        }
        if let done { around.count(.lettersCompacted, done.rewritten + done.removed) }
    }
}

/// Moves a lane's watermarks, as the runtime's `DeliveryJournal` does, and takes down what happened.
private final class LaneObserver: DeliveryObserver {
    private unowned let lane: SimulatedLane
    private let around: ProxySurroundings

    init(_ lane: SimulatedLane, _ around: ProxySurroundings) {
        self.lane = lane
        self.around = around
    }

    func observe(_ event: DeliveryEvent, of key: LaneKey) {
        around.history.note(.proxy, "lane \(key.lane) \(event)")
        switch event {
        case .claimed(let ledger, let undecided): note(ledger, undecided: undecided)
        case .flushed(let ledger, _, _, _): note(ledger)
        case .fault(_, let kind, _):
            if kind == .connection { around.count(.brokenConnections, 1) }
        case .deadLetterFault: around.count(.letterFaults, 1)
        case .deadLettered: around.count(.poison, 1)
        case .setAside(let range, _):
            around.count(.setAside, range.lowerBound.distance(to: range.upperBound) + 1)
        case .parked: around.count(.parkedStreams, 1)
        case .fenced: around.count(.fenced, 1)
        case .outcome(let outcome, _, _):
            if outcome == .settled { around.count(.committedUnanswered, 1) }
        case .wentBack(let from, let to, let place):
            if around.watch != nil { around.count(.resent, to.distance(to: from)) }
            if place == .trimmed { around.count(.replayedRests, 1) }
        case .held: around.count(.holds, 1)
        case .rowsDiffer, .sourceFault, .unreadable, .unparked, .skipped: break
        }
    }

    private func note(_ ledger: LedgerRow, undecided: Offset = .none) {
        lane.ledger = ledger
        lane.claimedBy = lane.session?.chosen
        lane.marks.setCommitted(ledger.position, undecided: undecided)
        if around.trimsAtCommit { lane.marks.setReplicated(ledger.position) }
    }
}
