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
    let fuse = Fuse()
    let clock = SimulatedClock()
    let disk: SimulatedDisk
    let postgres = SimulatedPostgres()
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
    /// Nothing goes wrong any more.
    var isCalm = false
    private var depth = 0
    private var around: ProxySurroundings?
    private lazy var sink = AgentSink(self)

    package init(seed: UInt64, plant: Plant? = nil, traced: Bool = false) {
        self.seed = seed
        self.plant = plant
        plan = WorldPlan(seed: seed)
        history = History(isOn: traced)
        random = SplitMix(seed: seed)
        disk = SimulatedDisk(seed: seed ^ 0xD15C, fuse: fuse)
        requests.append(Request(number: 0, rows: 0, isKeyed: false, isMixed: false, firstSent: .zero))
    }

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
        postgres.didCommit = nil
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
        for (lane, table) in postgres.state.tables.sorted(by: { $0.key.lane < $1.key.lane }) {
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
        postgres.didCommit = { [unowned self] flush in audit(flush) }
        postgres.orphanEnd = { [unowned self] in
            tally.add(.lateTransactions)
            return isCalm ? .rollsBack : random.pick([.commits, .rollsBack, .arrivesLate])
        }
        postgres.naming = { [unowned self] in random.pick([.right, .right, .none, .wrong]) }
        postgres.comparesAndSets = plant != .noCompareAndSet
        around = ProxySurroundings(
            plan: plan,
            fileSystem: plant?.fileSystem(disk) ?? disk,
            fuse: fuse,
            clock: clock,
            postgres: postgres,
            history: history,
            layouts: StreamLayouts.shared,
            connect: { [unowned self] _ in connect() },
            letters: { [plant] store in plant?.letters(store) ?? store },
            restoresKeys: plant != .forgottenKeys,
            trimsAtCommit: plant == .trimmedAtCommit || !plan.hasReplica,
            count: { [unowned self] event, count in tally.add(event, count) },
            didRecord: { [unowned self] letters in audit(letters) }
        )
        if plan.hasReplica { replica = postgres.state }
    }

    private func connect() -> any Destination {
        let session = SimulatedSession(postgres, clock: clock, fuse: fuse)
        session.nextBreak = { [unowned self] in nextBreak() }
        session.didReach = { [unowned self] point in reach(point) }
        session.flushDuration = .milliseconds(random.within(1...9))
        return plant?.destination(session) ?? session
    }

    private func nextBreak() -> SimulatedSession.Break? {
        guard !isCalm, random.chance(plan.connectionTrouble) else { return nil }
        let next: SimulatedSession.Break = random.pick([
            .refusedAtTheDoor, .claimLostBefore, .claimLostAfter, .lostWhileSending, .lostRolledBack,
            .lostCommitted, .lostCommitted, .lostUnderWay, .lostUnderWay, .server("53100", .sending),
            .server("57P01", .committing), .server("40001", .committing), .server("25006", .sending),
            .server("XX000", .sending), .server("42883", .sending), .server("FB001", .sending),
        ])
        history.note(.postgres, "the connection meets \(next)")
        switch next {
        case .lostRolledBack, .lostCommitted, .lostUnderWay: tally.add(.ambiguousCommits)
        case .refusedAtTheDoor, .claimLostBefore, .claimLostAfter, .lostWhileSending, .server: break
        }
        return next
    }

    // MARK: What happens at the calls of the ports

    private func reach(_ call: DiskCall, _ path: String) {
        tally.add(.calls)
        // The layouts and the dead letters have locks that are held while they write.
        if path.hasPrefix("queue/lanes/") { interleave() }
    }

    private func reach(_ point: SimulatedSession.Point) {
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
        default: finishOrphan()
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

    private func setTrouble(_ perMille: Int) {
        disk.failures.reads = perMille / 4
        disk.failures.writes = perMille
        disk.failures.syncs = perMille
        disk.failures.allocations = perMille / 2
        disk.failures.names = perMille / 2
    }

    // MARK: PostgreSQL

    private func finishOrphan() {
        guard postgres.hasOrphans else { return }
        tally.add(.lateTransactions)
        let isCommitted = postgres.finishOrphan(committing: random.chance(700))
        history.note(
            .postgres,
            "a transaction without a connection ends: \(isCommitted ? "committed" : "not committed")"
        )
    }

    private func befallPostgres() {
        switch random.below(8) {
        case 0:
            tally.add(.postgresRestarts)
            history.note(.postgres, "starts again")
            postgres.restart()
        case 1 where plan.breaksStreams:
            postgres.broken.formSymmetricDifference([StreamLayouts.names[1]])
            history.note(.postgres, postgres.broken.isEmpty ? "the table is made again" : "a table is dropped")
        case 2 where plan.hasReplica: promote()
        case 3...5 where plan.hasReplica: replicate()
        default: finishOrphan()
        }
    }

    /// The replica catches up, and the proxy looks at it.
    func replicate() {
        guard plan.hasReplica else { return }
        let caughtUp = postgres.state
        replica = caughtUp
        history.note(.postgres, "the replica has caught up")
        proxy?.watch(caughtUp)
    }

    private func promote() {
        guard let replica else { return }
        let isBehind = postgres.state.tables.contains { replica[$0.key].ledger.position < $0.value.ledger.position }
        if isBehind { tally.add(.failovers) }
        history.note(.postgres, "the replica is promoted\(isBehind ? "; it lacks the last flushes" : "")")
        postgres.failOver(to: replica)
    }

    // MARK: Lives of the proxy

    func startProxy() {
        guard let around else { return }
        if isCalm {
            setTrouble(0)
        } else {
            setTrouble(random.chance(500) ? plan.diskTrouble : 0)
            if random.chance(100) { fuse.left = random.below(40) }
        }
        let lanes = random.within(1...plan.maximumLanes)
        history.note(.proxy, "starts with \(lanes) lanes")
        do throws(SimulatedProxy.StartFault) {
            let started = try SimulatedProxy(lanes: lanes, around, seed: random.next())
            proxy = started
            for lane in started.lanes {
                if lane.report.verdict == .torn { tally.add(.tornTails) }
                tally.add(.undoneRuns, lane.report.undoneBlocks > 0 ? 1 : 0)
                history.note(.proxy, "lane \(lane.key.lane) opened: \(lane.report.verdict), end \(lane.report.end)")
            }
            if !fuse.isBlown { inspect(started) }
        } catch {
            tally.add(.failedStarts)
            history.note(.proxy, "the start failed: \(error.reason)")
            startFault = error.reason
            if fuse.isBlown { stopProxy(inCall: true) } else { disk.processEnd() }
        }
        if fuse.isBlown { stopProxy(inCall: true) }
    }

    /// Why the last start failed.
    private(set) var startFault: String?

    func stopProxy(inCall: Bool) {
        if !inCall, random.chance(150), let proxy {
            history.note(.proxy, "is stopped in order")
            proxy.close()
        }
        proxy = nil
        if random.chance(500) {
            let loss = disk.powerCut()
            tally.add(.powerCuts)
            if loss.files > 0 { tally.add(.lostBytes) }
            if loss.directories > 0 { tally.add(.lostNames) }
            history.note(
                .world,
                "POWER CUT\(inCall ? " in the middle of a call" : ""): \(loss.files) files lost bytes, \(loss.directories) directories names"
            )
        } else {
            disk.processEnd()
            tally.add(inCall ? .killsInCalls : .kills)
            history.note(.world, "KILL\(inCall ? " in the middle of a call" : "")")
        }
    }

    // MARK: Agents

    func sendSomething() {
        guard let proxy, !fuse.isBlown else { return }
        if !pending.isEmpty, random.chance(350) { return sendAgain(proxy) }
        if random.chance(20) { return sendAnotherBody(proxy) }
        let isLarge = random.chance(120)
        let request = Request(
            number: requests.count,
            rows: isLarge ? random.within(8...WorldPlan.largestRequest) : random.within(1...5),
            isKeyed: random.chance(600),
            isMixed: random.chance(100),
            firstSent: clock.now
        )
        requests.append(request)
        if isLarge { tally.add(.runs) }
        for row in 0..<request.rows where plan.poison > 0 && random.chance(plan.poison) {
            let event = EventID(request: request.number, row: row)
            if random.chance(700) { postgres.poison.insert(event) } else { postgres.deferredPoison.insert(event) }
        }
        if request.isKeyed { pending.append(request.number) }
        send(request.number, proxy)
    }

    /// An agent without an answer, or one that did not get it, sends the same again.
    private func sendAgain(_ proxy: SimulatedProxy) {
        let place = random.below(pending.count)
        let number = pending[place]
        let isOver = requests[number].isAcknowledged ? random.chance(300) : random.chance(20)
        // Later than this the key may be forgotten.
        if isOver || clock.now - requests[number].firstSent > plan.window - .seconds(3) {
            requests[number].isAbandoned = true
            pending.swapAt(place, pending.count - 1)
            pending.removeLast()
            return
        }
        tally.add(.resends)
        send(number, proxy)
    }

    /// A key that comes with another body is refused.
    private func sendAnotherBody(_ proxy: SimulatedProxy) {
        let known = pending.filter {
            requests[$0].isAcknowledged && clock.now - requests[$0].firstSent < plan.window - .seconds(3)
        }
        guard !known.isEmpty else { return }
        let request = requests[random.pick(known)]
        history.note(.agent, "sends another body under the key of request \(request.number)")
        let refusal = RefusalSink()
        proxy.append(
            request.batch(),
            lane: random.below(8),
            keyed: request.keyed(otherBody: true),
            sink: refusal,
            token: 0
        )
        if refusal.outcome != .keyReused {
            fail("another body under the key of request \(request.number) was answered with \(refusal.text)")
        }
    }

    func send(_ number: Int, _ proxy: SimulatedProxy) {
        let lane = requests[number].attempts > 0 && random.chance(700) ? number : random.below(8)
        requests[number].attempts += 1
        let request = requests[number]
        let key = proxy.active[lane % proxy.active.count].key
        requests[number].floor = account.acknowledged[key].map { key.position($0) }
        history.note(
            .agent,
            "sends \(request.text) to lane \(key.lane)\(request.attempts > 1 ? ", time \(request.attempts)" : "")"
        )
        proxy.append(
            request.batch(),
            lane: lane,
            keyed: request.keyed(),
            sink: sink,
            token: UInt64(number)
        )
    }

    fileprivate func answer(_ number: Int, _ outcome: AppendOutcome) {
        if !isCalm, random.chance(60) {
            tally.add(.lostAnswers)
            return history.note(.agent, "does not get the answer to request \(number)")
        }
        history.note(.agent, "request \(number) is answered: \(outcome)")
        switch outcome {
        case .durable(let last, let count, let repeated):
            acknowledge(number, last, count: count, repeated: repeated)
        case .keyReused:
            fail("request \(number) was sent again and refused as another under its key")
        case .full:
            tally.add(.refusedFull)
            if requests[number].state == .open { requests[number].state = .refused }
        case .failed, .overloaded, .closing:
            tally.add(.refusedFailed)
            if requests[number].state == .open { requests[number].state = .refused }
        }
    }

    private func acknowledge(_ number: Int, _ last: Position, count: Int, repeated: Bool) {
        let request = requests[number]
        guard count == request.rows else { return fail("\(request.text) was acknowledged as \(count) rows") }
        if case .acknowledged(let before) = request.state {
            if before != last { fail("\(request.text) was acknowledged at \(before) and at \(last)") }
            return
        }
        tally.add(.accepted)
        let key = LaneKey(queue: last.queue, lane: last.lane)
        if !repeated, let floor = request.floor, floor.lane == last.lane, floor.queue == last.queue,
            last.offset.rawValue < floor.offset.rawValue + UInt64(count)
        {
            fail("\(request.text) stands at \(last), sent after \(floor) had been acknowledged")
        }
        requests[number].state = .acknowledged(last: last)
        account.acknowledged[key] = max(account.acknowledged[key] ?? .none, last.offset)
    }
}

/// Where the answers to agents arrive.
private final class AgentSink: AppendSink, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    private unowned let world: World

    init(_ world: World) {
        self.world = world
    }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        for result in results { world.answer(Int(result.token), result.outcome) }
    }
}

private final class RefusalSink: AppendSink, @unchecked Sendable {
    // Sendable because a world uses it on one thread.
    var outcome: AppendOutcome?

    var text: String { outcome.map { "\($0)" } ?? "nothing" }

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        outcome = results.first?.outcome
    }
}
