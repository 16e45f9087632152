import Delivery
import Records
import SegmentedLog

/// A seeded world: agents, a proxy on a disk, a PostgreSQL, and all that may befall them.
///
/// The promise is checked at each step where that is cheap, after each start of the proxy, and at the end, when the faults have ceased and everything has
/// been delivered. Fault model, property and planted faults: <doc:Simulation>.
package final class World {
    /// What became of a world.
    package struct Outcome: Sendable {
        package var seed: UInt64
        /// What of the promise did not hold, in a sentence; nil if all of it did.
        package var violation: String?
        package var tally: Tally
        /// Equal for equal stories.
        package var digest: UInt64
        package var steps: Int

        package init(seed: UInt64, violation: String?, tally: Tally, digest: UInt64, steps: Int) {
            self.seed = seed
            self.violation = violation
            self.tally = tally
            self.digest = digest
            self.steps = steps
        }
    }

    package let seed: UInt64
    package let plan: WorldPlan
    package let history: History
    let plant: Plant?
    var random: SplitMix
    /// What claims raise epochs by.
    private var epochs: SplitMix
    let fuse = Fuse()
    let clock = SimulatedClock()
    let disk: SimulatedDisk
    /// nil where there is one PostgreSQL.
    let cluster: SimulatedCluster?
    private let onlyPostgres = SimulatedPostgres()
    var replica: SimulatedPostgres.State?
    var proxy: SimulatedProxy?
    var tally = Tally()
    /// By number; the first is nobody's.
    var requests: [Request] = []
    var account = Account()
    private(set) var violation: String?
    /// Keyed requests that may still be sent again.
    var pending: [Int] = []
    var letterBook = LetterBook()
    /// Why the last start failed.
    var startFault: String?
    /// Nothing goes wrong any more.
    var isCalm = false
    private(set) var depth = 0
    private(set) var around: ProxySurroundings?
    private(set) lazy var sink = AgentSink(self)

    package init(seed: UInt64, plant: Plant? = nil, traced: Bool = false) {
        self.seed = seed
        self.plant = plant
        plan = WorldPlan(seed: seed)
        history = History(isOn: traced)
        random = SplitMix(seed: seed)
        epochs = SplitMix(seed: seed ^ 0xE90C)
        cluster = plan.hasCluster ? SimulatedCluster(clock) : nil
        disk = SimulatedDisk(seed: seed ^ 0xD15C, fuse: fuse)
        requests.append(Request(number: 0, rows: 0, isKeyed: false, isMixed: false, firstSent: .zero))
    }

    /// The PostgreSQL whose content counts in the end.
    var postgres: SimulatedPostgres { cluster?.survivor.postgres ?? onlyPostgres }

    var servers: [SimulatedPostgres] { cluster?.nodes.map(\.postgres) ?? [onlyPostgres] }

    /// Lives the world to its end. Called once.
    package func run() -> Outcome {
        furnish()
        var step = 0
        while step < plan.steps, violation == nil {
            step += 1
            history.step = step
            takeStep()
        }
        if violation == nil { settleDown() }
        disk.beforeCall = nil
        disk.afterCall = nil
        for server in servers { server.didCommit = nil }
        // Last, though the step that it was seen in may have gone on.
        if let violation { history.note(.world, "VIOLATION: \(violation)") }
        return Outcome(seed: seed, violation: violation, tally: tally, digest: digest(), steps: history.step)
    }

    func fail(_ text: String) {
        guard violation == nil else { return }
        violation = text
    }

    private func digest() -> UInt64 {
        var digest = Digest()
        digest.add(seed)
        for (lane, table) in postgres.state.tables.sorted(by: { $0.key.description < $1.key.description }) {
            digest.add(UInt64(lane.lane.rawValue))
            digest.add(table.ledger.position.rawValue)
            digest.add(UInt64(table.ledger.epoch))
            for event in table.events { digest.add(event) }
        }
        tally.fold(into: &digest)
        digest.add(UInt64(clock.now / .microseconds(1)))
        for request in requests {
            if case .acknowledged(let last) = request.state { digest.add(last.offset.rawValue) }
        }
        return digest.value
    }

    // MARK: Furniture

    private func furnish() {
        disk.beforeCall = { [unowned self] call, path in reach(call, path) }
        disk.afterCall = { [unowned self] call, path, detail, fault in note(call, path, detail, fault) }
        for server in servers {
            server.didCommit = { [unowned self, unowned server] flush in audit(flush, on: server) }
            server.orphanEnd = { [unowned self] in
                tally.add(.lateTransactions)
                return isCalm ? .rollsBack : random.pick([.commits, .rollsBack, .arrivesLate])
            }
            server.naming = { [unowned self] in random.pick([.right, .right, .none, .wrong]) }
            server.comparesAndSets = plant != .noCompareAndSet
            server.epochStep = { [unowned self] in
                switch plant {
                case .epochNotRaised: 0
                case .epochRaisedByOne: 1
                default: Int64(1 + epochs.below(1 << 31))
                }
            }
        }
        for node in cluster?.nodes ?? [] { node.isSlow = random.chance(plan.slowness) }
        around = ProxySurroundings(
            plan: plan,
            fileSystem: plant?.fileSystem(disk) ?? disk,
            fuse: fuse,
            clock: clock,
            watch: watchSurroundings(),
            history: history,
            layouts: StreamLayouts.shared,
            connect: { [unowned self] session in connect(session) },
            letters: { [plant] store in plant?.letters(store) ?? store },
            restoresKeys: plant != .forgottenKeys,
            trimsAtCommit: plant == .trimmedAtCommit || !(plan.hasReplica || plan.required > 0),
            count: { [unowned self] event, count in tally.add(event, count) },
            didTrim: { [unowned self] proxy, lane, offset, lacking in noteTrim(proxy, lane, offset, lacking) },
            didRecord: { [unowned self] letters in audit(letters) }
        )
        if plan.hasReplica { replica = postgres.state }
    }

    // MARK: What happens at the calls of the ports

    func reach(_ call: DiskCall, _ path: String) {
        tally.add(.calls)
        // The layouts and the dead letters have locks that are held while they write.
        if path.hasPrefix("queue/lanes/") { interleave() }
    }

    func reach(_ point: SimulatedSession.Point) {
        tally.add(.calls)
        interleave()
    }

    /// Other threads of the proxy, agents and servers go on while one thread waits for a call.
    private func interleave() {
        guard depth < 2, !fuse.isBlown, !isCalm, random.chance(plan.interleaving) else { return }
        depth += 1
        defer { depth -= 1 }
        tally.add(.interleaved)
        history.note(.world, "meanwhile:")
        switch random.below(10) {
        case 0..<3: sendSomething()
        case 3..<6: letSomebodyWrite()
        case 6..<8: letSomebodyDeliver()
        case 8: if let proxy, !proxy.isCaring { proxy.care() }
        default:
            if cluster == nil { return finishOrphan() }
            letTheClusterGoOn()
            if random.chance(500) { befallCluster() }
        }
    }

    private func note(_ call: DiskCall, _ path: String, _ detail: String, _ fault: FileFault?) {
        if let fault, !fuse.isBlown {
            switch call {
            case .read: tally.add(.failedReads)
            case .write: tally.add(fault.isOutOfSpace ? .fullDisk : .failedWrites)
            case .sync: tally.add(.failedSyncs)
            case .syncDirectory: tally.add(.failedDirectorySyncs)
            case .allocate: tally.add(.fullDisk)
            case .open, .rename, .remove: if fault.code == 5 { tally.add(.failedNames) }
            case .createDirectory, .list, .truncate, .size: break
            }
        }
        if fault == nil, call == .remove, path.hasSuffix(".keys") { tally.add(.forgottenKeys) }
        guard history.isOn else { return }
        if let fault {
            if fault.code != 2 { history.note(.disk, "\(call.rawValue) \(path): \(fault.message)") }
        } else {
            history.note(.disk, "\(call.rawValue) \(path)\(detail.isEmpty ? "" : " \(detail)")")
        }
    }

    // MARK: Steps

    private func takeStep() {
        clock.now += .microseconds(random.below(20_000))
        if cluster != nil {
            letTheClusterGoOn()
            if random.chance(40) { befallCluster() }
        }
        guard let proxy else { return startProxy() }
        switch random.below(100) {
        case 0..<26: sendSomething()
        case 26..<48: letSomebodyWrite()
        case 48..<74: letSomebodyDeliver()
        case 74..<81: proxy.care()
        case 81..<85: letTimePass()
        case 85..<90: befallPostgres()
        case 90..<93: actAsOperator()
        case 93..<95: changeTheWeather()
        case 95..<98: fuse.left = fuse.left ?? random.below(60)
        default: stopProxy(inCall: false)
        }
        if fuse.isBlown { stopProxy(inCall: true) }
        checkConservation()
        checkReplicas()
    }

    func letSomebodyWrite() {
        guard let proxy else { return }
        let ready = proxy.active.filter { !$0.inbox.isEmpty && !$0.isWriting }
        guard !ready.isEmpty else { return }
        proxy.write(random.pick(ready))
    }

    func letSomebodyDeliver() {
        guard let proxy else { return }
        let due = proxy.lanes.filter { !$0.isDelivering && $0.isDue(at: clock.now) }
        if !due.isEmpty { return proxy.deliver(random.pick(due)) }
        guard depth == 0 else { return }
        // Nobody has anything to do before the first of them wakes up.
        if let next = proxy.lanes.compactMap(\.wakesAt).min() { clock.now = max(clock.now, next) }
    }

    private func letTimePass() {
        clock.now += .milliseconds(random.within(1...6_000))
        history.note(.world, "time passes: it is \(clock.now)")
    }

    private func changeTheWeather() {
        if plan.fillsDisk {
            let isFull = disk.capacity != nil
            disk.capacity = isFull ? nil : disk.usedBytes + random.below(4 * plan.log.segmentBytes)
            history.note(.disk, isFull ? "there is room again" : "somebody else fills the disk")
        }
        setTrouble(random.chance(500) ? plan.diskTrouble : 0)
    }

    func setTrouble(_ perMille: Int) {
        disk.failures.reads = perMille / 4
        disk.failures.writes = perMille
        disk.failures.syncs = perMille
        disk.failures.allocations = perMille / 2
        disk.failures.names = perMille / 2
    }
}
