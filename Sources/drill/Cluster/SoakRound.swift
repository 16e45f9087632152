import Glibc
import LocalPostgres
import ProvingGround

/// A round of the soak: its faults, drawn from a seed, and the repair afterwards.
struct SoakRound {
    /// Something that is done at a moment of the round.
    private struct Step {
        var milliseconds: UInt64
        var action: () throws -> Void
    }

    private let exercise: Exercise
    private let disk: SickDisk
    private let hasLinks: Bool
    /// The primary that the round began with.
    private let before: LocalNode
    private var random: Pause
    private var steps: [Step] = []
    /// What the round does, for people.
    private(set) var story = ""

    private var yard: Yard { exercise.yard }
    private var cluster: LocalCluster { exercise.yard.cluster }

    init(_ exercise: Exercise, _ disk: SickDisk, seed: UInt64, hasLinks: Bool) {
        self.exercise = exercise
        self.disk = disk
        self.hasLinks = hasLinks
        before = exercise.yard.primary
        random = Pause(seed: seed)
    }

    private enum PrimaryFault: CaseIterable {
        case none
        case killPromote
        case hangPromote
        case twoWriters
        case cutOffPromote
        case switchover
        case crash
        case hang
    }

    // MARK: Faults

    /// Draws the faults and lets them happen.
    mutating func run() throws {
        let primary = before
        var replicas = cluster.nodes.filter { $0 !== primary }
        if random.chance(50) { replicas.reverse() }
        let faults = PrimaryFault.allCases.filter { hasLinks || $0 != .cutOffPromote }
        let fault = faults[Int(random.next() % UInt64(faults.count))]
        plan(fault, primary, candidate: replicas[0], other: replicas[1])
        planOthers(besides: fault, primary, other: replicas[1])
        if story.isEmpty { story = "nothing" }

        let begun = ContinuousClock.now
        for step in steps.sorted(by: { $0.milliseconds < $1.milliseconds }) {
            let left = begun + .milliseconds(step.milliseconds) - ContinuousClock.now
            if left > .zero { usleep(UInt32(left / .microseconds(1))) }
            try step.action()
        }
    }

    private mutating func plan(_ fault: PrimaryFault, _ primary: LocalNode, candidate: LocalNode, other: LocalNode) {
        let yard = yard
        let cluster = cluster
        let begin = random.within(0...1000)
        let later = begin + random.within(100...800)
        let promotion = later + random.within(0...800)
        let promote = {
            try candidate.promote()
            yard.primary = candidate
        }
        let name = "\(primary.name) by \(candidate.name)"
        switch fault {
        case .none:
            return
        case .killPromote:
            add("\(name): killed, with a tail that is lost", at: begin) { try candidate.stopReceiving() }
            add(at: later) { try primary.kill() }
            add(at: promotion, promote)
        case .hangPromote:
            add("\(name): hung, back later", at: begin) { primary.pause() }
            add(at: promotion, promote)
            add(at: promotion + random.within(0...1000)) { primary.resume() }
        case .twoWriters:
            add("\(name): not stopped", at: begin) { try candidate.stopReceiving() }
            add(at: later, promote)
            add(at: later + 1000) {}
        case .cutOffPromote:
            add("\(name): cut off, back later", at: begin) {
                try cluster.cutLink(primary, nil)
                try cluster.cutLink(primary, candidate)
                try cluster.cutLink(primary, other)
            }
            add(at: promotion, promote)
            add(at: promotion + random.within(0...1000)) { try cluster.healLinks() }
        case .switchover:
            add("\(name): stopped in order", at: begin) { try primary.stop(.fast) }
            add(at: begin + random.within(0...300), promote)
        case .crash:
            add("\(primary.name) crashed and started", at: begin) { try primary.stop(.immediate) }
            add(at: later) { try primary.start() }
        case .hang:
            add("\(primary.name) hung for a while", at: begin) { primary.pause() }
            add(at: promotion) { primary.resume() }
        }
    }

    private mutating func planOthers(besides fault: PrimaryFault, _ primary: LocalNode, other: LocalNode) {
        let yard = yard
        let cluster = cluster
        let disk = disk
        if random.chance(50) {
            add("proxy killed", at: random.within(0...2000)) {
                yard.proxy?.crash()
                try yard.startProxy()
            }
        }
        if random.chance(30) {
            add("\(other.name) killed", at: random.within(0...1500)) { try other.kill() }
        }
        if random.chance(40) {
            let begin = random.within(0...1500)
            let one = random.within(3...60)
            add("one write or sync in \(one) failed", at: begin) { disk.fall(ill: .failSome(EIO, oneIn: one)) }
            add(at: begin + random.within(100...1000)) { disk.recover() }
        }
        // A primary that is stopped in order waits for its replicas to have everything, so its links stay whole.
        guard hasLinks, fault != .switchover, fault != .cutOffPromote else { return }
        let cutsProxy = random.chance(25)
        let cutsReplica = random.chance(25)
        guard cutsProxy || cutsReplica else { return }
        let begin = random.within(0...1500)
        let words = [cutsProxy ? "proxy" : nil, cutsReplica ? other.name : nil].compactMap { $0 }
        add("\(words.joined(separator: " and ")) cut from \(primary.name)", at: begin) {
            if cutsProxy { try cluster.cutLink(primary, nil) }
            if cutsReplica { try cluster.cutLink(primary, other) }
        }
        add(at: begin + random.within(200...1500)) { try cluster.healLinks() }
    }

    private mutating func add(_ story: String? = nil, at milliseconds: UInt64, _ action: @escaping () throws -> Void) {
        if let story { self.story += self.story.isEmpty ? story : ", \(story)" }
        steps.append(Step(milliseconds: milliseconds, action: action))
    }

    // MARK: Repair

    /// Makes all whole again, checks that table and ledger agree, and returns the number of rows.
    func repair() throws -> Int {
        guard yard.proxy?.isRunning == true else { throw YardFault("the proxy ended by itself; see \(yard.proxyLog)") }
        try yard.waitForIngest(within: 120)
        try waitUntil("every lane takes events", within: 120) {
            try exercise.status().lanes.allSatisfy { $0.state != "read-only" }
        }
        let primary = yard.primary
        try waitUntil("the proxy writes to \(primary.name)", within: 120) {
            try exercise.status().cluster.primary == primary.address
        }
        try exercise.awaitProgress()
        for node in cluster.nodes where node !== primary {
            // A replica of this primary that was killed needs a start only; others may have gone their own way.
            if primary === before, node.isReplica {
                try node.start()
                try cluster.waitForStream(node, from: primary)
            } else {
                try exercise.takeBack(node)
            }
        }
        let status = try exercise.status()
        guard status.delivery.lostEvents == 0 else {
            throw YardFault("\(status.delivery.lostEvents) events are reported as lost; see \(yard.proxyLog)")
        }
        let figures = try primary.execute(
            "SELECT (SELECT count(*) FROM apirequests), (SELECT sum(position) FROM forebay.ledger)",
            database: Yard.database
        ).split(separator: "|")
        guard figures.count == 2, figures[0] == figures[1], let rows = Int(figures[0]) else {
            throw YardFault("the table's rows and the ledger's sum are \(figures.joined(separator: " and "))")
        }
        return rows
    }
}
