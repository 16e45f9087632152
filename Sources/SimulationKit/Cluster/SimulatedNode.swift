import Delivery
import Records
import Topology

/// A PostgreSQL server of a ``SimulatedCluster``: what it holds is all records of its timeline up to its place.
final class SimulatedNode {
    enum Health: Hashable {
        case up
        /// Nothing listens.
        case down
        /// SIGSTOP: connections are taken by the kernel, and nothing answers.
        case hung
        /// It lets nobody in.
        case refusing
    }

    let number: Int
    let address: NodeAddress
    let postgres = SimulatedPostgres()
    private let clock: SimulatedClock
    var systemIdentifier: UInt64
    private(set) var timeline: Timeline
    private(set) var place = 0
    private(set) var isInRecovery: Bool
    private(set) var health = Health.up
    /// The node that it replicates; nil for a writer, and for a replica that was left behind.
    var source: SimulatedNode?
    /// False: the WAL receiver is stopped.
    var receives = true
    /// Its answers come late.
    var isSlow = false
    /// The name leads to a server of another cluster.
    var isMistaken = false

    /// For a planted fault: what it ever showed.
    var highestShown: [LaneKey: Offset] = [:]

    init(
        _ number: Int,
        _ systemIdentifier: UInt64,
        _ timeline: Timeline,
        source: SimulatedNode?,
        _ clock: SimulatedClock
    ) {
        self.number = number
        address = NodeAddress(host: "node\(number)")
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
        self.source = source
        self.clock = clock
        isInRecovery = source != nil
        postgres.didWrite = { [unowned self] in write($0) }
    }

    var answers: Bool { health == .up && !isMistaken }
    var isWriter: Bool { !isInRecovery }
    var lsn: UInt64 { timeline.lsn(at: place) }

    /// Where a lane's ledger was when the node's WAL had this length.
    func position(of lane: LaneKey, at lsn: UInt64) -> Offset {
        for place in (0..<place).reversed() where timeline.lsn(at: place + 1) <= lsn {
            let record = timeline.record(after: place)
            if record.lane == lane { return record.ledger.position }
        }
        return .none
    }

    func holds(_ lane: LaneKey) -> Offset { postgres.state[lane].ledger.position }

    private func write(_ record: WALRecord) {
        precondition(isWriter, "a replica writes")
        timeline.append(record, at: clock.now)
        place = timeline.end
    }

    // MARK: Replication

    /// Whether it can go on from its place with what the source sends.
    func canFollow(_ other: SimulatedNode) -> Bool {
        systemIdentifier == other.systemIdentifier && place <= timeline.common(with: other.timeline)
            && place <= other.place
    }

    /// Applies some next records of the source. Returns how many.
    func replay(_ count: Int) -> Int {
        guard isInRecovery, health == .up, receives, let source, source.health == .up, canFollow(source) else {
            return 0
        }
        timeline = source.timeline
        let end = min(place + count, source.place)
        let applied = end - place
        while place < end {
            postgres.apply(timeline.record(after: place))
            place += 1
        }
        return applied
    }

    // MARK: What befalls it

    func die() {
        health = .down
        postgres.restart()
    }

    func hang() { health = .hung }

    func refuse() {
        health = .refusing
        postgres.restart()
    }

    func comeBack() { health = .up }

    /// Begins a timeline of its own at its place.
    func promote() {
        timeline = Timeline(number: timeline.number + 1, parent: timeline, from: place)
        isInRecovery = false
        source = nil
        receives = true
    }

    /// Becomes equal to the source and replicates it.
    func rewind(to other: SimulatedNode) {
        postgres.restart()
        postgres.state = other.postgres.state
        timeline = other.timeline
        place = other.place
        systemIdentifier = other.systemIdentifier
        isInRecovery = true
        receives = true
        source = other
    }

    /// Goes back to a place of a path and begins a timeline there.
    func restore(to place: Int, of path: Timeline, number: Int) {
        postgres.restart()
        postgres.state = SimulatedPostgres.State()
        for index in 0..<place { postgres.apply(path.record(after: index)) }
        timeline = Timeline(number: number, parent: path, from: place)
        self.place = place
        isInRecovery = false
        source = nil
        receives = true
        health = .up
    }

    /// Is made anew, as the writer of another cluster, from a dump.
    func makeAnew(_ systemIdentifier: UInt64, from dump: [WALRecord]) {
        postgres.restart()
        postgres.state = SimulatedPostgres.State()
        self.systemIdentifier = systemIdentifier
        timeline = Timeline(number: 1)
        place = 0
        isInRecovery = false
        source = nil
        receives = true
        health = .up
        for record in dump {
            postgres.apply(record)
            write(record)
        }
    }

    // MARK: What it says

    /// What it answers to a look at it now.
    func state(of queues: Set<QueueID>) -> NodeState {
        if isMistaken {
            return NodeState(
                version: 150_000,
                isInRecovery: false,
                systemIdentifier: 666,
                timeline: 9,
                position: WALPosition(rawValue: 0x100_0000),
                ledger: [:]
            )
        }
        return NodeState(
            version: 150_000,
            isInRecovery: isInRecovery,
            systemIdentifier: systemIdentifier,
            timeline: timeline.number,
            position: WALPosition(rawValue: lsn),
            isReceiving: isInRecovery && receives && source?.health == .up,
            ledger: postgres.state.tables.filter { queues.contains($0.key.queue) }.mapValues(\.ledger)
        )
    }
}
