import Records

/// What the lane of a queue does next, and what each answer means. Calls nothing: ``LaneDelivery`` translates.
///
/// ```
/// unclaimed ──claim──▶ claimed ──flush──▶ flushing ──settled──▶ claimed
///     ▲                   │                  ├──refused──▶ refused ──ledger unmoved──▶ claimed
///     ├──── any fault ────┴──────────────────┴─────────────────┘
///     ├──▶ held (looks again by claiming)        any ──▶ stopped
///     └──▶ skipping ──▶ claimed
/// ```
struct LaneMachine {
    private enum State {
        /// Nobody's, or in doubt. To `claimed` or `held` by the next claim, made at `retry` or later.
        case unclaimed(retry: Duration, failed: FailedFlush?)
        /// Ours, nothing under way. To `flushing`; to itself, paused, if the queue or the dead-letter store fails; to `unclaimed` if a check
        /// finds the ledger elsewhere.
        case claimed(LedgerRow, Idle)
        /// A flush is on its way. To `claimed` if it is settled, to `refused` if the server said what is wrong with it, else to `unclaimed`.
        case flushing(LedgerRow, Attempt)
        /// A healthy server refused a flush for what it holds, so its transaction is gone and nothing is in doubt. To `claimed` if the ledger is
        /// still where it was, else to `unclaimed`.
        case refused(LedgerRow, FailedFlush)
        /// Positions are passed by order: they go to the dead-letter store first. To `claimed` when they are there; until then everything is as it was
        /// before the order. The horizon is the claim's.
        case skipping(LedgerRow, ClosedRange<Offset>, horizon: Offset, pausedUntil: Duration)
        /// The lane can't go on by itself. To `unclaimed` at `retry`, to look again, or as soon as an order comes.
        case held(Hold, retry: Duration)
        /// Nothing leads on from here.
        case stopped
    }

    /// A flush, as far as its outcome depends on it.
    struct Attempt: Equatable {
        var from: Offset
        var to: Offset
        var rows: Int
        var bytes: Int
        /// The first and the last row sent; nil if none is.
        var sent: ClosedRange<Offset>?
        /// Of each part, in the order of the parts.
        var sources: [ParkedStreams.Source]
    }

    /// A claimed lane with nothing under way.
    private struct Idle {
        /// Nothing is tried before.
        var pausedUntil = Duration.zero
        /// Since when rows have been waiting for more rows; nil if there are none.
        var rowsSince: Duration?
        /// When the ledger is looked at, if nothing was flushed until then.
        var checkAt: Duration
    }

    private struct FailedFlush {
        var attempt: Attempt
        var fault: DeliveryFault
        /// The row that the server's report names.
        var named: Offset?
    }

    private let settings: DeliverySettings
    private var state = State.unclaimed(retry: .zero, failed: nil)
    /// The last offset that was on disk when the queue was opened; nil once a claim has been compared with it.
    private var opened: Offset?
    /// The highest position of the ledger since the lane was last let go on.
    private var committed: Offset
    /// Until the ledger is past a horizon again, it may be as low as this: somebody said so.
    private var forgiven: (lowest: Offset, until: Offset)?
    /// What an earlier process found the ledger put back from, and nobody has decided about.
    private var undecided: Offset
    /// For the next claim that needs one.
    private var order: ClaimDecision.Order?
    private var system = ClaimDecision.System.same
    /// The last attempt was turned away before a server had seen anything of it.
    private var isAtTheDoor = false
    private var backoff: Backoff
    private var size: BatchSize
    private var search = PoisonSearch()
    private var parked: ParkedStreams
    /// Rows that are known to be bad and are not in the dead-letter store yet.
    private var condemned: [Offset: DeadLetter.Reason] = [:]

    /// - Parameters:
    ///   - opened: the last offset on disk when the queue was opened.
    ///   - committed: the highest position of the ledger that an earlier process has left word of.
    ///   - undecided: what an earlier process found the ledger put back from, and nobody had decided about; none if there was nothing of the kind.
    init(settings: DeliverySettings, opened: Offset, committed: Offset = .none, undecided: Offset = .none) {
        self.settings = settings
        self.opened = opened
        self.committed = max(committed, undecided)
        self.undecided = undecided
        backoff = Backoff(first: settings.firstPause, longest: settings.longestPause)
        size = BatchSize(
            initial: settings.initialRows,
            maximum: settings.maximumRows,
            target: settings.targetDuration
        )
        parked = ParkedStreams(period: settings.parkedFor)
    }

    // MARK: What to do

    enum Action: Equatable {
        case claim
        case flush(FlushOrder)
        /// Look at the ledger: after a refusal, and when the lane has been idle for long. A failover may have taken back what the lane believes
        /// delivered, and nothing else would tell an idle lane.
        case check
        case waitForData(until: Duration?)
        case sleep(until: Duration)
        case hold(Hold, until: Duration)
        /// Record these positions as skipped.
        case skip(ClosedRange<Offset>)
        case stop
    }

    /// - Parameters:
    ///   - durable: the queue's last offset on disk.
    ///   - awaited: the highest offset that somebody waits for to be committed.
    mutating func next(now: Duration, durable: Offset, awaited: Offset) -> Action {
        switch state {
        case .unclaimed(let retry, _):
            return now < retry ? .sleep(until: retry) : .claim
        case .claimed(let ledger, var idle):
            if now < idle.pausedUntil { return .sleep(until: idle.pausedUntil) }
            guard durable > ledger.position else {
                return now < idle.checkAt ? .waitForData(until: idle.checkAt) : .check
            }
            let since = idle.rowsSince ?? now
            let isEnough = ledger.position.distance(to: durable) >= size.rows
            let isHurried = awaited > ledger.position || search.isActive || !condemned.isEmpty
            if !isEnough, !isHurried, now < since + settings.maximumDelay {
                idle.rowsSince = since
                state = .claimed(ledger, idle)
                return .waitForData(until: since + settings.maximumDelay)
            }
            return .flush(order(after: ledger, now: now))
        case .refused:
            return .check
        case .skipping(_, let range, _, let pausedUntil):
            return now < pausedUntil ? .sleep(until: pausedUntil) : .skip(range)
        case .held(let hold, let retry):
            guard now >= retry else { return .hold(hold, until: retry) }
            state = .unclaimed(retry: .zero, failed: nil)
            return .claim
        case .flushing:
            preconditionFailure("a flush is under way, and its outcome has not been told")
        case .stopped:
            return .stop
        }
    }

    private func order(after ledger: LedgerRow, now: Duration) -> FlushOrder {
        let limit = search.limit(maximumRows: settings.maximumRows)
        return FlushOrder(
            epoch: ledger.epoch,
            from: ledger.position,
            rows: limit?.rows ?? size.rows,
            bytes: settings.maximumBytes,
            through: limit?.through,
            condemned: condemned,
            parked: parked.aside(at: now)
        )
    }

    // MARK: Claims

    /// The lane was claimed. Settles the flush before it, if that was open.
    ///
    /// - Parameter horizon: what all replicas were once seen to show together; none if there are none.
    mutating func claimed(
        _ ledger: LedgerRow,
        durable: Offset,
        firstAvailable: Offset,
        horizon: Offset,
        now: Duration,
        random: UInt64
    ) -> [DeliveryEvent] {
        guard case .unclaimed(_, let failed) = state else {
            preconditionFailure("a claim ended that was not asked for")
        }
        isAtTheDoor = false
        let position = ledger.position
        let marks = ClaimMarks(
            known: opened ?? durable,
            committed: committed,
            horizon: max(undecided, forgiven.map { min($0.lowest, horizon) } ?? horizon),
            available: firstAvailable
        )
        let place = ClaimDecision.Place(position, marks)
        let decision = ClaimDecision.of(place: place, system: system, order: order ?? settings.onRestore)
        switch decision {
        case .renew:
            opened = marks.known
            // Not told as claimed: this position says nothing about the rows that have these offsets now.
            return hold(.ledgerAhead(ledger: position, known: marks.known), now: now)
        case .hold:
            opened = nil
            guard place == .trimmed else {
                let before = max(committed, marks.horizon)
                return [.claimed(ledger, undecided: before)]
                    + hold(.restored(ledger: position, committed: before), now: now)
            }
            return [.claimed(ledger, undecided: .none)]
                + hold(.gap(position.advanced(by: 1)...Offset(firstAvailable.rawValue - 1)), now: now)
        case .skip:
            let before = max(committed, marks.horizon)
            let last = max(before, Offset(firstAvailable.rawValue - 1))
            search.reset()
            state = .skipping(ledger, position.advanced(by: 1)...last, horizon: horizon, pausedUntil: .zero)
            return [.claimed(ledger, undecided: before)]
        case .goOn, .replay, .replayRest: break
        }
        var events = [DeliveryEvent.claimed(ledger, undecided: .none)]
        if decision != .goOn { events.append(.wentBack(from: committed, to: position, place)) }
        letGo(position, horizon: horizon)
        state = .claimed(ledger, Idle(checkAt: now + settings.checkInterval))
        condemned = condemned.filter { $0.key > ledger.position }
        if let failed {
            events += settle(failed, ledger: ledger, now: now, random: random)
        }
        return events
    }

    /// The lane goes on from here, whatever was before.
    private mutating func letGo(_ position: Offset, horizon: Offset) {
        opened = nil
        order = nil
        system = .same
        undecided = .none
        committed = position
        forgiven = position < horizon ? (min(forgiven?.lowest ?? position, position), horizon) : nil
    }

    /// The positions to be skipped are in the dead-letter store.
    mutating func skipped(now: Duration) {
        guard case .skipping(let ledger, _, let horizon, _) = state else {
            preconditionFailure("positions were skipped that nobody asked to skip")
        }
        letGo(ledger.position, horizon: horizon)
        state = .claimed(ledger, Idle(checkAt: now + settings.checkInterval))
    }

    private mutating func hold(_ hold: Hold, now: Duration) -> [DeliveryEvent] {
        search.reset()
        state = .held(hold, retry: now + settings.longestPause)
        return [.held(hold)]
    }

    /// The claim failed. What is open about the flush before it stays open.
    mutating func claimFailed(_ fault: DeliveryFault, now: Duration, random: UInt64) -> [DeliveryEvent] {
        guard case .unclaimed(_, let failed) = state else {
            preconditionFailure("a claim failed that was not asked for")
        }
        let errorClass = ErrorClass(fault)
        let pause = backoff.pause(random: random)
        state = .unclaimed(retry: now + pause, failed: failed)
        isAtTheDoor = fault.phase == .connecting
        let isFenced = FlushOutcome.of(phase: .claiming, errorClass: errorClass, ledger: .atFrom) == .fenced
        return [.fault(fault, errorClass, pause: pause)] + (isFenced ? [.fenced] : [])
    }

    // MARK: Checks

    /// The ledger was looked at. If it is not where the lane left it, a claim follows.
    mutating func checked(_ found: LedgerRow?, now: Duration, random: UInt64) -> [DeliveryEvent] {
        switch state {
        case .claimed(let ledger, var idle):
            if found == ledger {
                idle.checkAt = now + settings.checkInterval
                state = .claimed(ledger, idle)
            } else {
                state = .unclaimed(retry: .zero, failed: nil)
            }
            return []
        case .refused(let ledger, let failed):
            guard found == ledger else {
                state = .unclaimed(retry: .zero, failed: failed)
                return []
            }
            state = .claimed(ledger, Idle(checkAt: now + settings.checkInterval))
            return settle(failed, ledger: ledger, now: now, random: random)
        case .unclaimed, .flushing, .skipping, .held, .stopped:
            preconditionFailure("a check ended that was not asked for")
        }
    }

    /// The ledger could not be looked at, so a claim follows.
    mutating func checkFailed(_ fault: DeliveryFault, now: Duration, random: UInt64) -> [DeliveryEvent] {
        let failed: FailedFlush?
        switch state {
        case .claimed: failed = nil
        case .refused(_, let open): failed = open
        case .unclaimed, .flushing, .skipping, .held, .stopped:
            preconditionFailure("a check failed that was not asked for")
        }
        let pause = backoff.pause(random: random)
        state = .unclaimed(retry: now + pause, failed: failed)
        isAtTheDoor = fault.phase == .connecting
        return [.fault(fault, ErrorClass(fault), pause: pause)]
    }

    // MARK: Flushes

    /// The ordered flush, or skip, could not be prepared. Returns the pause.
    mutating func stalled(now: Duration, random: UInt64) -> Duration {
        let pause = backoff.pause(random: random)
        if case .skipping(let ledger, let range, let horizon, _) = state {
            state = .skipping(ledger, range, horizon: horizon, pausedUntil: now + pause)
            return pause
        }
        guard case .claimed(let ledger, var idle) = state else {
            preconditionFailure("a flush could not be prepared that was not ordered")
        }
        idle.pausedUntil = now + pause
        state = .claimed(ledger, idle)
        return pause
    }

    /// The dead-letter store has these: it is asked from now on.
    mutating func recorded(_ letters: [DeadLetter]) {
        for letter in letters where letter.kind == .poison {
            condemned[letter.first] = nil
        }
    }

    /// The ordered flush is about to be sent.
    mutating func sending(_ attempt: Attempt) {
        guard case .claimed(let ledger, _) = state else {
            preconditionFailure("a flush is sent that was not ordered")
        }
        state = .flushing(ledger, attempt)
    }

    /// The server answered that the flush is committed.
    mutating func flushed(_ receipt: FlushReceipt, duration: Duration, now: Duration) -> [DeliveryEvent] {
        guard case .flushing(let before, let attempt) = state else {
            preconditionFailure("a flush ended that was not sent")
        }
        let ledger = LedgerRow(epoch: before.epoch, position: attempt.to)
        state = .claimed(ledger, Idle(checkAt: now + settings.checkInterval))
        let differ: [DeliveryEvent] =
            receipt.rows == attempt.rows ? [] : [.rowsDiffer(sent: attempt.rows, copied: receipt.rows)]
        return differ + landed(attempt, ledger: ledger, duration: duration, now: now)
    }

    /// The flush failed, or its answer was lost. The next claim decides.
    ///
    /// - Parameter named: the row that the server's report names.
    mutating func flushFailed(
        _ fault: DeliveryFault,
        named: Offset?,
        now: Duration,
        random: UInt64
    ) -> [DeliveryEvent] {
        guard case .flushing(let ledger, let attempt) = state else {
            preconditionFailure("a flush failed that was not sent")
        }
        let errorClass = ErrorClass(fault)
        let failed = FailedFlush(attempt: attempt, fault: fault, named: named)
        switch errorClass {
        case .poison, .stream:
            state = .refused(ledger, failed)
            return [.fault(fault, errorClass, pause: .zero)]
        case .connection, .conflict, .unavailable, .fenced, .unknown:
            let pause = backoff.pause(random: random)
            state = .unclaimed(retry: now + pause, failed: failed)
            isAtTheDoor = fault.phase == .connecting
            return [.fault(fault, errorClass, pause: pause)]
        }
    }

    /// The ledger is known now: decides what the failed flush came to.
    private mutating func settle(
        _ failed: FailedFlush,
        ledger: LedgerRow,
        now: Duration,
        random: UInt64
    ) -> [DeliveryEvent] {
        let attempt = failed.attempt
        let place = FlushOutcome.LedgerPlace(ledger.position, from: attempt.from, to: attempt.to)
        if place != .atFrom, place != .atTo { search.reset() }
        let outcome = FlushOutcome.of(
            phase: failed.fault.phase,
            errorClass: ErrorClass(failed.fault),
            ledger: place
        )
        let told = DeliveryEvent.outcome(outcome, from: attempt.from, to: attempt.to)
        switch outcome {
        case .settled:
            return [told] + landed(attempt, ledger: ledger, duration: nil, now: now)
        case .resend, .wait:
            return [told]
        case .fenced:
            return [told, .fenced]
        case .isolate:
            guard let reason = failed.fault.reason, let sent = attempt.sent else {
                pauseClaimed(ledger, now: now, random: random)
                return [told]
            }
            isolate(failed, reason: reason, sent: sent)
            return [told]
        case .park:
            guard let reason = failed.fault.reason,
                let part = failed.fault.part, attempt.sources.indices.contains(part)
            else {
                pauseClaimed(ledger, now: now, random: random)
                return [told]
            }
            let source = attempt.sources[part]
            let isNew = parked.park(source, reason: reason, now: now)
            return [told] + (isNew ? [.parked(stream: source.stream, reason)] : [])
        }
    }

    /// One of the rows sent is bad: condemns it, or searches for it.
    private mutating func isolate(_ failed: FailedFlush, reason: DeadLetter.Reason, sent: ClosedRange<Offset>) {
        if !search.isActive { size.refused(rows: failed.attempt.rows) }
        if let named = failed.named, sent.contains(named), CopyContext.isExact(sqlState: reason.sqlState) {
            search.reset()
            condemned[named] = reason
            return
        }
        let found = search.refused(
            rows: failed.attempt.rows,
            first: sent.lowerBound,
            last: sent.upperBound,
            named: failed.named
        )
        if let found { condemned[found] = reason }
    }

    /// The fault blames a row or a stream, and the flush has none to blame: it is tried again, after a pause.
    private mutating func pauseClaimed(_ ledger: LedgerRow, now: Duration, random: UInt64) {
        let pause = backoff.pause(random: random)
        state = .claimed(ledger, Idle(pausedUntil: now + pause, checkAt: now + settings.checkInterval))
    }

    private mutating func landed(
        _ attempt: Attempt,
        ledger: LedgerRow,
        duration: Duration?,
        now: Duration
    ) -> [DeliveryEvent] {
        backoff.reset()
        committed = max(committed, ledger.position)
        if let until = forgiven?.until, ledger.position >= until { forgiven = nil }
        size.landed(rows: attempt.rows, duration: duration)
        search.landed(rows: attempt.rows, position: ledger.position)
        condemned = condemned.filter { $0.key > ledger.position }
        let flushed = DeliveryEvent.flushed(
            ledger: ledger,
            rows: attempt.rows,
            bytes: attempt.bytes,
            duration: duration
        )
        return [flushed] + parked.landed(attempt.sources, now: now).map { .unparked(stream: $0) }
    }

    // MARK: Orders from outside

    /// Another lane has been let in: a lane that was turned away tries at once. Pauses after other faults are kept.
    mutating func doorIsOpen(now: Duration) {
        guard isAtTheDoor, case .unclaimed(let retry, let failed) = state, now < retry else { return }
        state = .unclaimed(retry: now, failed: failed)
    }

    /// The tables of parked streams may have been mended: their rows are tried with the next flush.
    mutating func tryParkedStreams(now: Duration) {
        parked.tryAgain(now: now)
    }

    /// Another node is the primary, or there is one again: the lane claims there at once. What is open stays open until then.
    mutating func primaryChanged() {
        backoff.reset()
        switch state {
        case .unclaimed(_, let failed): state = .unclaimed(retry: .zero, failed: failed)
        case .refused(_, let failed): state = .unclaimed(retry: .zero, failed: failed)
        // What was to be skipped is held against the next claim: the order stands until it is carried out.
        case .claimed, .held, .skipping: state = .unclaimed(retry: .zero, failed: nil)
        case .flushing: preconditionFailure("a flush is under way on the thread that was to tell of the primary")
        case .stopped: break
        }
    }

    /// Somebody decided what a lane does that is held; or took another cluster, and said what the lanes do there. An order that nothing waits for
    /// is forgotten: it must not lie in wait for the next restore.
    mutating func resume(_ order: ClaimDecision.Order, in system: ClaimDecision.System) {
        switch state {
        case .held:
            self.order = order
            self.system = system
            state = .unclaimed(retry: .zero, failed: nil)
        case .unclaimed, .claimed, .flushing, .refused, .skipping:
            guard system == .other else { return }
            self.order = order
            self.system = system
        case .stopped: break
        }
    }

    /// The other cluster was not taken after all: what was said for it must not lie in wait for whatever comes.
    mutating func withdraw() {
        guard system == .other else { return }
        order = nil
        system = .same
    }

    // MARK: The end

    /// Nothing more is started. A flush whose answer is missing is settled by the next process's claim.
    mutating func stop() {
        state = .stopped
    }
}

extension DeliveryFault {
    /// What the server said, for the dead-letter store; nil if the server said nothing.
    var reason: DeadLetter.Reason? {
        guard case .server(let error) = cause else { return nil }
        return DeadLetter.Reason(
            sqlState: error.sqlState,
            message: error.message,
            detail: error.detail,
            constraint: error.constraint,
            column: error.column
        )
    }
}
