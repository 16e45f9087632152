package import Records

/// Delivers one lane of the queue to PostgreSQL, for as long as it is stepped.
///
/// Owner: the lane's flusher thread, which alone may call it. Every call of the ports is made from here and may throw at any time; what an
/// answer means is ``LaneMachine``'s to decide.
package final class LaneDelivery {
    /// What the owner does between two steps.
    package enum Next: Hashable, Sendable {
        /// Step again at once.
        case again
        /// Step again when `durable` or `awaited` has moved, or at `until` at the latest.
        case waitForData(until: Duration?)
        /// Step again at `until`; nothing else can help before.
        case sleep(until: Duration)
        /// The lane can't go on by itself; it looks again at `until`.
        case held(Hold, until: Duration)
        /// Done: `stop` was called, and the connection is closed.
        case stopped
    }

    package let lane: LaneKey
    private let source: any ChunkSource
    private let destination: any Destination
    private let deadLetters: any DeadLetterStore
    private let observer: any DeliveryObserver
    private let clock: any DeliveryClock
    private let settings: DeliverySettings
    private var randomness: any RandomNumberGenerator
    private var machine: LaneMachine
    private var buffer: ChunkBuffer
    /// Layouts that the queue's catalogue has named; one for each stream and set of omitted columns.
    private var layouts: [Fingerprint: RowLayout] = [:]
    private var grouper = RowGrouper()

    /// - Parameters:
    ///   - opened: the lane's last offset on disk when the queue was opened. A ledger beyond it means that the disk is an old image.
    ///   - committed: the ledger's highest position, as far as an earlier process has left word of it.
    ///   - undecided: of the last claim of an earlier process (``DeliveryEvent/claimed(_:undecided:)``).
    ///   - randomness: spreads the pauses of lanes that fail together.
    package init(
        lane: LaneKey,
        opened: Offset,
        committed: Offset = .none,
        undecided: Offset = .none,
        source: any ChunkSource,
        destination: any Destination,
        deadLetters: any DeadLetterStore,
        observer: any DeliveryObserver,
        clock: any DeliveryClock,
        settings: DeliverySettings = DeliverySettings(),
        randomness: any RandomNumberGenerator = SystemRandomNumberGenerator()
    ) {
        self.lane = lane
        self.source = source
        self.destination = destination
        self.deadLetters = deadLetters
        self.observer = observer
        self.clock = clock
        self.settings = settings
        self.randomness = randomness
        machine = LaneMachine(settings: settings, opened: opened, committed: committed, undecided: undecided)
        buffer = ChunkBuffer(after: .none)
    }

    /// Does the next thing: makes at most one claim, check or flush. Blocks as long as these do.
    ///
    /// - Parameters:
    ///   - awaited: the highest offset that somebody waits for to be committed; rows up to it don't linger.
    ///   - horizon: what all replicas were once seen to show of the lane together; none if there are none.
    package func step(awaited: Offset = .none, horizon: Offset = .none) -> Next {
        switch machine.next(now: clock.now, durable: source.durable, awaited: awaited) {
        case .claim:
            claim(horizon: horizon)
            return .again
        case .skip(let range):
            skip(range)
            return .again
        case .flush(let order):
            deliver(order)
            return .again
        case .check:
            check()
            return .again
        case .waitForData(let until): return .waitForData(until: until)
        case .sleep(let until): return .sleep(until: until)
        case .hold(let hold, let until): return .held(hold, until: until)
        case .stop: return .stopped
        }
    }

    /// Tries parked streams with the next flush instead of after their 30 seconds: an operator has mended a table and retries its letters.
    package func tryParkedStreams() {
        machine.tryParkedStreams(now: clock.now)
    }

    /// Another node is the primary, or there is one again. What waits for the old one is broken off by the destination's owner.
    package func primaryChanged() {
        machine.primaryChanged()
    }

    /// An operator decided about a lane that is held, or about the lanes on a cluster that was made anew.
    package func resume(_ order: ClaimDecision.Order, in system: ClaimDecision.System) {
        machine.resume(order, in: system)
    }

    /// What was said for another cluster is not so.
    package func withdraw() {
        machine.withdraw()
    }

    /// Another lane has been claimed: if this one waits because it could not connect, it tries again with the next step.
    package func doorIsOpen() {
        machine.doorIsOpen(now: clock.now)
    }

    /// Closes the connection; the next step says `stopped`. What was not flushed stays in the queue.
    package func stop() {
        machine.stop()
        destination.disconnect()
    }

    private func claim(horizon: Offset) {
        do throws(DeliveryFault) {
            let ledger = try destination.claim(lane)
            tell(
                machine.claimed(
                    ledger,
                    durable: source.durable,
                    firstAvailable: source.firstAvailable,
                    horizon: horizon,
                    now: clock.now,
                    random: randomness.next()
                )
            )
        } catch {
            tell(machine.claimFailed(error, now: clock.now, random: randomness.next()))
        }
    }

    private func check() {
        do throws(DeliveryFault) {
            let found = try destination.ledger(of: lane)
            tell(machine.checked(found, now: clock.now, random: randomness.next()))
        } catch {
            tell(machine.checkFailed(error, now: clock.now, random: randomness.next()))
        }
    }

    /// Puts the positions into the dead-letter store, but for those that are there already; the flushes that follow pass them.
    private func skip(_ range: ClosedRange<Offset>) {
        let letters = FlushPlanner.gaps(in: range, besides: deadLetters.recorded(lane, in: range)).map { gap in
            DeadLetter(
                lane: lane,
                first: gap.lowerBound,
                count: gap.lowerBound.distance(to: gap.upperBound) + 1,
                kind: .unreadable,
                fingerprint: Fingerprint(0),
                stream: "",
                reason: DeadLetter.Reason(sqlState: "", message: "skipped by order, after the database was restored"),
                time: clock.wallTime,
                bytes: []
            )
        }
        do throws(DeadLetterFault) {
            if !letters.isEmpty { try deadLetters.record(letters) }
            machine.skipped(now: clock.now)
            tell([.skipped(range)])
        } catch {
            let pause = machine.stalled(now: clock.now, random: randomness.next())
            tell([.deadLetterFault(error, pause: pause)])
        }
    }

    /// Reads, sets aside, sends: in this order, so that the ledger never passes a row that is not durable elsewhere.
    private func deliver(_ order: FlushOrder) {
        do throws(DeadLetterFault) {
            try deadLetters.endDoubts(of: lane)
        } catch {
            let pause = machine.stalled(now: clock.now, random: randomness.next())
            return tell([.deadLetterFault(error, pause: pause)])
        }
        let plan: FlushPlan
        do throws(SourceFault) {
            plan = try prepare(order)
        } catch {
            let pause = machine.stalled(now: clock.now, random: randomness.next())
            return tell([.sourceFault(error, pause: pause)])
        }
        do throws(DeadLetterFault) {
            try setAside(plan.letters)
        } catch {
            let pause = machine.stalled(now: clock.now, random: randomness.next())
            return tell([.deadLetterFault(error, pause: pause)])
        }
        send(plan, order: order)
    }

    private func prepare(_ order: FlushOrder) throws(SourceFault) -> FlushPlan {
        buffer.move(to: order.from)
        try buffer.fill(
            from: source,
            after: order.from,
            to: ReadLimit(rows: order.rows, bytes: order.bytes)
        )
        guard buffer.end > order.from else {
            throw SourceFault("nothing could be read after \(order.from), though \(source.durable) is on disk")
        }
        var plan = try FlushPlanner.plan(
            order,
            lane: lane,
            buffer: buffer,
            recorded: deadLetters.recorded(lane, in: order.from.advanced(by: 1)...buffer.end),
            time: clock.wallTime,
            layout: { (fingerprint) throws(SourceFault) in try layout(of: fingerprint) }
        )
        // A search for a bad row goes by offsets, and is the easier to follow the less else goes on.
        if order.through == nil {
            for index in plan.parts.indices {
                let columns = source.grouping(of: plan.parts[index].layout)
                plan.parts[index].sequence = grouper.sequence(of: plan.parts[index].slices, by: columns)
            }
        }
        return plan
    }

    private func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout {
        if let known = layouts[fingerprint] { return known }
        let layout = try source.layout(of: fingerprint)
        layouts[fingerprint] = layout
        return layout
    }

    private func setAside(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        guard !letters.isEmpty else { return }
        try deadLetters.record(letters)
        machine.recorded(letters)
        tell(
            letters.map { letter in
                switch letter.kind {
                case .poison: .deadLettered(letter.first, stream: letter.stream, letter.reason)
                case .parked: .setAside(letter.range, stream: letter.stream)
                case .unreadable: .unreadable(letter.range)
                }
            }
        )
    }

    private func send(_ plan: FlushPlan, order: FlushOrder) {
        machine.sending(
            LaneMachine.Attempt(
                from: order.from,
                to: plan.to,
                rows: plan.rows,
                bytes: plan.bytes,
                sent: plan.sent,
                sources: plan.parts.map(\.source)
            )
        )
        let flush = Flush(lane: lane, epoch: order.epoch, from: order.from, to: plan.to, parts: plan.parts)
        let begun = clock.now
        do throws(DeliveryFault) {
            let receipt = try destination.flush(flush) { self.prepareNext(after: plan.to) }
            let ended = clock.now
            buffer.move(to: plan.to)
            tell(machine.flushed(receipt, duration: ended - begun, now: ended))
        } catch {
            tell(
                machine.flushFailed(
                    error,
                    named: plan.row(namedBy: error),
                    now: clock.now,
                    random: randomness.next()
                )
            )
        }
    }

    /// Reads what the next flush will take while the server works on this one. What can't be read now is asked for again by that flush.
    private func prepareNext(after position: Offset) {
        try? buffer.fill(
            from: source,
            after: position,
            to: ReadLimit(rows: settings.maximumRows, bytes: settings.maximumBytes)
        )
    }

    private func tell(_ events: [DeliveryEvent]) {
        for event in events {
            observer.observe(event, of: lane)
        }
    }
}

extension FlushPlan {
    /// The row that the server's report names, if it names one.
    func row(namedBy fault: DeliveryFault) -> Offset? {
        guard case .server(let error) = fault.cause, let context = error.context,
            let part = fault.part, parts.indices.contains(part),
            let line = CopyContext.line(in: context, table: parts[part].layout.table.name)
        else { return nil }
        return offset(ofLine: line, part: part)
    }
}

extension Flush.Part {
    fileprivate var source: ParkedStreams.Source {
        ParkedStreams.Source(stream: layout.stream, fingerprint: layout.fingerprint)
    }
}
