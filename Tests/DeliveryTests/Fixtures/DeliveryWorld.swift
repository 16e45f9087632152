import Delivery
import Records
import SimulationKit

/// A lane with all its neighbours, and verbs to tell its story with.
final class DeliveryWorld {
    let queue = FakeQueue()
    let clock = SimulatedClock()
    let postgres: SimulatedPostgres
    let deadLetters: FakeDeadLetters
    let log = EventLog()
    let settings: DeliverySettings
    /// What all replicas were once seen to show together.
    var horizon = Offset.none
    private let plant: Plant?
    private(set) var session: SimulatedSession
    private(set) var delivery: LaneDelivery
    private var restarts: UInt64 = 0

    init(
        settings: DeliverySettings = DeliverySettings(),
        plant: Plant? = nil
    ) {
        self.settings = settings
        self.plant = plant
        postgres = SimulatedPostgres()
        postgres.comparesAndSets = plant != .noCompareAndSet
        deadLetters = FakeDeadLetters()
        session = SimulatedSession(postgres, clock: clock)
        delivery = Self.deliver(queue, session, deadLetters, log, clock, settings, plant, seed: 0)
    }

    private static func deliver(
        _ queue: FakeQueue,
        _ session: SimulatedSession,
        _ deadLetters: FakeDeadLetters,
        _ log: EventLog,
        _ clock: SimulatedClock,
        _ settings: DeliverySettings,
        _ plant: Plant?,
        word: (committed: Offset, undecided: Offset) = (.none, .none),
        seed: UInt64
    ) -> LaneDelivery {
        LaneDelivery(
            lane: FakeQueue.key,
            opened: queue.durable,
            committed: word.committed,
            undecided: word.undecided,
            source: queue,
            destination: plant?.destination(session) ?? session,
            deadLetters: plant?.letters(deadLetters) ?? deadLetters,
            observer: log,
            clock: clock,
            settings: settings,
            randomness: SplitMix(seed: seed)
        )
    }

    /// The process is killed and started again; a transaction may live on in the server.
    ///
    /// - Parameter leavesWord: of what the last claim, or what came since, said of the lane.
    func restart(leavesWord: Bool = false) {
        restarts += 1
        let nextBreak = session.nextBreak
        session = SimulatedSession(postgres, clock: clock)
        session.nextBreak = nextBreak
        let word = leavesWord ? self.word : (.none, .none)
        delivery = Self.deliver(queue, session, deadLetters, log, clock, settings, plant, word: word, seed: restarts)
    }

    private var word: (committed: Offset, undecided: Offset) {
        for event in log.events.reversed() {
            switch event {
            case .claimed(let ledger, let undecided): return (ledger.position, undecided)
            case .flushed(let ledger, _, _, _): return (ledger.position, .none)
            default: continue
            }
        }
        return (.none, .none)
    }

    /// The next flushes go wrong in these ways; claims go well meanwhile, unless it is a claim's fault.
    func breakNext(_ breaks: SimulatedSession.Break...) {
        var left = breaks[...]
        session.nextBreak = { [unowned self] in
            guard let next = left.first else { return nil }
            if case .server(_, .claiming) = next {
                return left.popFirst()
            }
            guard session.isConnected else { return nil }
            return left.popFirst()
        }
    }

    /// A replica takes over that shows this row, and no events after it.
    func failOver(to row: LedgerRow) {
        var replica = postgres.state
        replica[FakeQueue.key] = replica[FakeQueue.key].earlier(row)
        postgres.failOver(to: replica)
    }

    /// One step; time goes on to when the next one is due.
    @discardableResult
    func step(awaited: Offset = .none) -> LaneDelivery.Next {
        let next = delivery.step(awaited: awaited, horizon: horizon)
        switch next {
        case .again, .stopped: break
        case .waitForData(let until): clock.now = max(clock.now, until ?? clock.now)
        case .sleep(let until), .held(_, let until): clock.now = max(clock.now, until)
        }
        return next
    }

    /// Steps until everything durable is passed. Returns the steps taken; nil if it does not get there.
    @discardableResult
    func drain(within steps: Int = 10_000) -> Int? {
        for taken in 0..<steps {
            if postgres.state.ledger.position >= queue.durable, taken > 0 { return taken }
            step()
        }
        return nil
    }

    var position: Offset { postgres.state.ledger.position }

    func deadLettered(_ kind: DeadLetter.Kind) -> [Offset] {
        deadLetters.letters.filter { $0.kind == kind }
            .flatMap { letter in (0..<letter.count).map { letter.first.advanced(by: $0) } }
            .sorted()
    }

    /// What of the promise does not hold now; nil if all of it does.
    ///
    /// Every event up to the ledger's position is in the database exactly once or in the dead-letter store, on disk, and not in both; none
    /// after it is in the database. So accepted = committed + dead-lettered + queued.
    func broken() -> String? {
        let count = Int(queue.durable.rawValue)
        var aside = Array(repeating: false, count: count + 1)
        for letter in deadLetters.letters {
            for offset in Int(letter.first.rawValue)...Int(letter.last.rawValue) {
                if aside[offset] { return "\(offset) was dead-lettered twice" }
                aside[offset] = true
            }
        }
        let position = Int(position.rawValue)
        let table = postgres.state[FakeQueue.key]
        let copies = table.copies.map(Int.init)
        var accounted = 0
        for offset in stride(from: 1, through: count, by: 1) {
            let landed = offset < copies.count ? copies[offset] : 0
            if landed > 0, table.event(at: Offset(UInt64(offset))) != EventID(UInt64(offset)) {
                return "another row stands at \(offset)"
            }
            if landed > 1 { return "\(offset) is in the database \(landed) times" }
            if landed == 1, aside[offset] { return "\(offset) is in the database and dead-lettered" }
            if offset <= position, landed == 0, !aside[offset] { return "\(offset) was passed and is nowhere" }
            if offset > position, landed > 0 { return "\(offset) is in the database, the ledger at \(position)" }
            if landed == 1 || aside[offset] || offset > position { accounted += 1 }
        }
        return accounted == count ? nil : "\(accounted) events accounted for of \(count)"
    }

    private var lastLook: [Int] = []

    /// Whether anything happened since the last call that ``broken()`` looks at.
    func hasChanged() -> Bool {
        let look = [
            postgres.flushes, postgres.failovers, deadLetters.letters.count, Int(queue.durable.rawValue),
            Int(position.rawValue),
        ]
        defer { lastLook = look }
        return look != lastLook
    }
}

extension SimulatedPostgres {
    /// Of the one lane that these tests deliver.
    func copies(of offset: Offset) -> Int { state[FakeQueue.key].copies(of: offset) }

    func claim() -> LedgerRow { claim(FakeQueue.key) }
}

extension SimulatedPostgres.State {
    var ledger: LedgerRow {
        get { self[FakeQueue.key].ledger }
        set { self[FakeQueue.key].ledger = newValue }
    }
}

extension Offset {
    /// The event that ``FakeQueue`` has at this offset.
    var event: EventID { EventID(rawValue) }
}
