import Delivery
import DurableQueue
import LibPQClient
import Logging
import Records
import Synchronization
import Topology

/// The thread that delivers one lane.
final class LaneWorker: Sendable {
    let key: LaneKey
    private let reader: LaneReader
    private let breakSwitch = BreakSwitch()
    private let state = Monitor(State())
    private let thread = Mutex<OwnedThread?>(nil)

    private struct State {
        var isStopping = false
        /// The highest offset that a request waits for to be committed.
        var awaited = Offset.none
        var hasEnded = false
        /// Parked streams are to be tried at once.
        var triesParked = false
        var hasOtherPrimary = false
        var order: (ClaimDecision.Order, ClaimDecision.System)?
        var isWithdrawn = false
        /// Another lane has been claimed.
        var doorIsOpen = false
    }

    /// What a worker needs besides its lane.
    struct Surroundings: Sendable {
        var primaries: any PrimaryDirectory
        var connection: ConnectionSettings
        var deadlines: FlushDeadlines
        var settings: DeliverySettings
        var deadLetters: any DeadLetterStore
        var journal: DeliveryJournal
        var renewal: Renewal
        var streams: StreamRegistry
        /// Told on a lane's thread when that lane has been claimed.
        var claimed: @Sendable (LaneKey) -> Void
        /// Told on a lane's thread when a stream, or a layout of it, is parked.
        var parked: @Sendable () -> Void
        /// What an earlier process left word of, by lane.
        var committed: @Sendable (LaneKey) -> Offset
        var undecided: @Sendable (LaneKey) -> Offset
        /// What all replicas were once seen to show together, by lane.
        var horizon: @Sendable (LaneKey) -> Offset
    }

    init(_ reader: LaneReader) {
        key = reader.key
        self.reader = reader
    }

    /// Starts the thread. Called once.
    func start(_ surroundings: Surroundings) throws(QueueFault) {
        let started = try OwnedThread(name: "flush-\(key.lane)") { self.run(surroundings) }
        thread.withLock { $0 = started }
    }

    /// Lets rows up to `offset` go without lingering for more.
    func hurry(to offset: Offset) {
        let isNews = state.withLock { state in
            guard offset > state.awaited else { return false }
            state.awaited = offset
            return true
        }
        if isNews { reader.wake() }
    }

    /// Tries parked streams with the next flush: an operator has mended a table.
    func tryParkedStreams() {
        state.withLock { $0.triesParked = true }
        reader.wake()
    }

    /// Leaves the old primary alone, if it is at one, and claims on the new one at once; nil if nobody may be written to.
    func primaryChanged(to node: NodeAddress?) {
        state.withLock { $0.hasOtherPrimary = true }
        breakSwitch.breakOff(unlessTo: node)
        reader.wake()
    }

    /// Gives an order to the lane, if it is held, or for its first claim on another cluster.
    func resume(_ order: ClaimDecision.Order, in system: ClaimDecision.System) {
        state.withLock { $0.order = (order, system) }
        reader.wake()
    }

    /// Takes back what was said for another cluster.
    func withdraw() {
        state.withLock { state in
            state.order = nil
            state.isWithdrawn = true
        }
        reader.wake()
    }

    /// Lets a lane that could not connect try again at once, because another one could.
    func doorIsOpen() {
        state.withLock { $0.doorIsOpen = true }
        reader.wake()
    }

    /// Asks the thread to end after the flush that is under way.
    func stop() {
        state.withLock { $0.isStopping = true }
        reader.wake()
    }

    /// Breaks off what the thread waits for. What was being flushed is settled by the ledger at the next start.
    func interruptNow() {
        breakSwitch.end()
        reader.wake()
    }

    /// Returns when the thread has ended, or when the time is up.
    func waitForEnd(within timeout: Duration) {
        _ = state.wait(until: .after(timeout)) { state, _ in state.hasEnded ? true : nil }
    }

    /// Waits until the thread has ended, if it was started.
    func join() {
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    private func run(_ surroundings: Surroundings) {
        let clock = MonotonicClock()
        let source = LaneSource(reader, streams: surroundings.streams, mark: surroundings.renewal.mark(of: key))
        let destination = LedgerDestination(
            directory: surroundings.primaries,
            settings: surroundings.connection,
            deadlines: surroundings.deadlines,
            breakSwitch: breakSwitch
        )
        let delivery = LaneDelivery(
            lane: key,
            opened: source.durable,
            committed: surroundings.committed(key),
            undecided: surroundings.undecided(key),
            source: source,
            destination: destination,
            deadLetters: surroundings.deadLetters,
            observer: ClaimHerald(destination, source, surroundings),
            clock: clock,
            settings: surroundings.settings
        )
        loop: while true {
            let orders = state.withLock { state in
                defer {
                    state.triesParked = false
                    state.doorIsOpen = false
                    state.hasOtherPrimary = false
                    state.order = nil
                    state.isWithdrawn = false
                }
                return state
            }
            if orders.isStopping { delivery.stop() }
            if orders.triesParked { delivery.tryParkedStreams() }
            if orders.doorIsOpen { delivery.doorIsOpen() }
            if orders.isWithdrawn { delivery.withdraw() }
            if let (order, system) = orders.order {
                surroundings.renewal.decide(key, order)
                delivery.resume(order, in: system)
            }
            if orders.hasOtherPrimary { delivery.primaryChanged() }
            let durable = source.durable
            switch delivery.step(awaited: orders.awaited, horizon: surroundings.horizon(key)) {
            case .again: continue
            case .waitForData(let until):
                let pause = until.map { $0 - clock.now } ?? .seconds(60)
                _ = reader.waitForData(after: durable, within: pause)
            case .sleep(let until), .held(_, let until): pause(until: until, clock)
            case .stopped: break loop
            }
        }
        state.broadcast { $0.hasEnded = true }
    }

    /// Waits for a moment, or for a wake-up; new rows are no reason to go on sooner.
    private func pause(until moment: Duration, _ clock: MonotonicClock) {
        _ = reader.waitForData(after: Offset(.max), within: moment - clock.now)
    }
}

/// Takes claims to the other lanes and to the renewal, and everything to the journal.
private final class ClaimHerald: DeliveryObserver {
    private let destination: LedgerDestination
    private let source: LaneSource
    private let surroundings: LaneWorker.Surroundings

    init(_ destination: LedgerDestination, _ source: LaneSource, _ surroundings: LaneWorker.Surroundings) {
        self.destination = destination
        self.source = source
        self.surroundings = surroundings
    }

    func observe(_ event: DeliveryEvent, of lane: LaneKey) {
        let (journal, renewal) = (surroundings.journal, surroundings.renewal)
        if case .held(.ledgerAhead(let ledger, let known)) = event {
            source.mark = known
            if let rows = renewal.ask(lane, known: known) {
                return journal.held(lane, inDoubtOf: rows, ledger: ledger)
            }
        }
        journal.observe(event, of: lane)
        if case .parked = event { surroundings.parked() }
        guard case .claimed = event else { return }
        // Before anything behind the mark is sent.
        if renewal.verified(lane) { source.mark = nil }
        journal.connected(lane, by: destination.choice)
        surroundings.claimed(lane)
    }
}
