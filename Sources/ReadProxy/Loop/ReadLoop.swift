import Instruments
import Logging
import NIOCore
import NIOSSL
import PostgresWire
import Records
import Topology

/// Everything of the read port that lives on one event loop: clients, the pools of connections to the nodes, and those who wait for one. A client and its backend
/// are always on the same loop, so that nothing that passes between them takes a lock or changes threads.
///
/// Owner: the event loop. `@unchecked Sendable`: other threads only call `update`, `cancel` and `drain`, and these through `eventLoop.execute`.
final class ReadLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let configuration: ReadProxyConfiguration
    private(set) var users: ReadUsers
    /// For the nodes.
    private(set) var password: String?
    let instruments: ReadInstruments
    let registry: ClientRegistry
    let log: Logger
    let upstreamTLS: NIOSSLContext?
    let clientTLS: NIOSSLContext?
    /// Of this process: from it comes the salt of users that do not exist.
    let mockSecret: [UInt8]
    private let watch: ReadWatch
    private let dialer: any NodeDialer

    let emptyParameters = ParameterSet([:])
    let plainSettings = SessionSettings([:])
    /// Of the last login to a node.
    var keys: ScramClient.CachedKeys?
    var shelf: StatementShelf
    private(set) var pools: [NodePool] {
        didSet { isStale = true }
    }
    /// As the choice looks at the pools: with what may be opened, and with what is open already.
    private var candidates: [ReadChoice.Candidate] = []
    private var openCandidates: [ReadChoice.Candidate] = []
    private var isStale = true
    private var waiters: [ClientConnection] = []
    private(set) var clients: [ObjectIdentifier: ClientConnection] = [:]
    private var clientsByProcess: [Int32: ClientConnection] = [:]
    private var parameterSets: [[String: String]: ParameterSet] = [:]
    private var settingSets: [[String: String]: SessionSettings] = [:]
    private var turn = 0
    private var isServing = false
    private var sweep: RepeatedTask?
    private var drained: EventLoopPromise<Void>?

    /// Sets that differ are kept apart up to this many; then they are made anew.
    private static let mostSets = 1024

    init(
        eventLoop: any EventLoop,
        loops: Int,
        configuration: ReadProxyConfiguration,
        users: ReadUsers,
        instruments: ReadInstruments,
        registry: ClientRegistry,
        log: Logger,
        upstreamTLS: NIOSSLContext?,
        clientTLS: NIOSSLContext?,
        mockSecret: [UInt8],
        watch: ReadWatch,
        dialer: any NodeDialer
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.users = users
        password = configuration.upstream.password
        self.instruments = instruments
        self.registry = registry
        self.log = log
        self.upstreamTLS = upstreamTLS
        self.clientTLS = clientTLS
        self.mockSecret = mockSecret
        self.watch = watch
        self.dialer = dialer
        shelf = StatementShelf(limit: 10_000, limitBytes: 64 << 20)
        let share = max(1, configuration.poolSize / loops)
        pools = configuration.upstream.nodes.map { _ in NodePool(limit: share) }
    }

    /// On the loop.
    func start() {
        eventLoop.assertInEventLoop()
        registry.add(self)
        let interval = TimeAmount(configuration.sweepInterval)
        sweep = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.lookAtClocks()
        }
    }

    func randomBytes(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    // MARK: Equal sets are one object

    func intern(_ values: [String: String]) -> ParameterSet {
        if let known = parameterSets[values] { return known }
        if parameterSets.count >= Self.mostSets { parameterSets.removeAll() }
        let set = ParameterSet(values)
        parameterSets[values] = set
        return set
    }

    func settings(_ values: [String: String]) -> SessionSettings {
        if values.isEmpty { return plainSettings }
        if let known = settingSets[values] { return known }
        if settingSets.count >= Self.mostSets { settingSets.removeAll() }
        let settings = SessionSettings(values)
        settingSets[values] = settings
        return settings
    }

    // MARK: Clients

    func add(_ client: ClientConnection) {
        clients[ObjectIdentifier(client)] = client
    }

    func add(_ client: ClientConnection, process: Int32) {
        clientsByProcess[process] = client
    }

    func remove(_ client: ClientConnection, process: Int32?) {
        clients[ObjectIdentifier(client)] = nil
        if let process { clientsByProcess[process] = nil }
        withdraw(client)
        if clients.isEmpty, let drained {
            finishDraining(drained)
        }
    }

    /// From any thread.
    func cancel(_ process: Int32) {
        eventLoop.execute { [self] in clientsByProcess[process]?.cancel() }
    }

    var mostBytesHeld: Int { clients.values.map(\.bytesHeld).max() ?? 0 }

    private func lookAtClocks() {
        let now = eventLoop.now
        for client in clients.values { client.lookAtClock(now) }
        serve()
    }

    /// From any thread.
    func admit(_ users: ReadUsers, password: String?) {
        eventLoop.execute { [self] in
            self.users = users
            self.password = password
        }
    }

    // MARK: Routing

    /// From any thread.
    func update(_ table: RouteTable) {
        eventLoop.execute { [self] in
            for (index, node) in table.nodes.enumerated() {
                pools[index].update(node)
                switch pools[index].candidate.standing {
                case .away, .foreign, .astray: abandon(index)
                case .primary, .ready, .behind: break
                }
            }
            serve()
        }
    }

    /// Nothing more is expected of a node: idle connections go, and whoever waits for an answer asks elsewhere if that is possible.
    private func abandon(_ index: Int) {
        closeIdle(index)
        for client in clients.values where client.isWaiting(for: index) {
            var nodes = pools.map(\.candidate)
            nodes[index].standing = .away
            let choice = ReadChoice.of(nodes, policy: configuration.policy, turn: turn, isLate: false)
            switch choice {
            // Waiting for a connection that others use is better than waiting for a node that says nothing.
            case .node, .wait(.full): client.leaveNode()
            case .wait(.floor), .wait(.nobody), .refuse: break
            }
        }
    }

    private func closeIdle(_ index: Int) {
        for backend in pools[index].takeAllIdle() {
            instruments.nodes[index].idle.add(-1)
            backend.close()
        }
    }

    private func choose(for client: ClientConnection, isLate: Bool, onlyOpen: Bool = false) -> ReadChoice {
        turn &+= 1
        if isStale {
            isStale = false
            candidates.removeAll(keepingCapacity: true)
            openCandidates.removeAll(keepingCapacity: true)
            for pool in pools {
                candidates.append(pool.candidate)
                openCandidates.append(pool.candidate)
                openCandidates[openCandidates.count - 1].isOpen = !pool.idle.isEmpty
            }
        }
        if !client.wanted.isEmpty || client.avoidedNode != nil {
            var nodes = onlyOpen ? openCandidates : candidates
            for index in nodes.indices { nodes[index].reaches = pools[index].route.shows(client.wanted) }
            let before = nodes
            if let avoided = client.avoidedNode { nodes[avoided].standing = .away }
            let choice = ReadChoice.of(nodes, policy: configuration.policy, turn: turn & 0xFFFF, isLate: isLate)
            switch choice {
            // The connections to a node that was just lost may all be dead, and each would cost an attempt.
            case .node, .wait(.full), .wait(.floor): return choice
            // Rather there than nowhere.
            case .wait(.nobody), .refuse:
                return ReadChoice.of(before, policy: configuration.policy, turn: turn & 0xFFFF, isLate: isLate)
            }
        }
        return ReadChoice.of(
            onlyOpen ? openCandidates : candidates,
            policy: configuration.policy,
            turn: turn & 0xFFFF,
            isLate: isLate
        )
    }

    // MARK: Leases

    /// A backend, or nil: then the client waits until it is granted one or refused.
    func lease(_ client: ClientConnection) -> BackendConnection? {
        client.wanted = watch.written.map { client.floor + $0(client.user) } ?? client.floor
        if !client.wanted.isEmpty { want(client.wanted) }
        let choice = choose(for: client, isLate: false)
        if waiters.isEmpty, case .node(let index) = choice,
            let backend = take(index) ?? takeElsewhere(than: index, for: client, isLate: false)
        {
            return backend
        }
        waiters.append(client)
        instruments.waiting.add(1)
        switch choice {
        // Whoever gives a backend back, or finds a node again, serves those who wait.
        case .wait(.full), .wait(.nobody): break
        // Not within the client's own turn.
        case .node, .wait(.floor), .refuse: eventLoop.execute { [self] in serve() }
        }
        return nil
    }

    /// The node that was chosen has nothing idle. One that has is better than waiting; meanwhile the other opens a connection, so that the next one finds it.
    private func takeElsewhere(than index: Int, for client: ClientConnection, isLate: Bool) -> BackendConnection? {
        guard case .node(let other) = choose(for: client, isLate: isLate, onlyOpen: true),
            let backend = take(other)
        else { return nil }
        if pools[index].connecting == 0 { open(index) }
        return backend
    }

    private func take(_ index: Int) -> BackendConnection? {
        guard let backend = pools[index].takeIdle() else { return nil }
        pools[index].leased += 1
        instruments.nodes[index].idle.add(-1)
        instruments.nodes[index].inUse.add(1)
        instruments.transactions.add()
        if pools[index].route.standing == .primary { instruments.primaryReads.add() }
        return backend
    }

    /// Positions that a client is going to ask for: the nodes are to be asked for their lanes.
    func want(_ positions: [Position]) {
        watch.want(Set(positions.map(\.queue)))
    }

    /// The client does not wait any more.
    func withdraw(_ client: ClientConnection) {
        guard let index = waiters.firstIndex(where: { $0 === client }) else { return }
        waiters.remove(at: index)
        instruments.waiting.add(-1)
    }

    /// The client is done with a backend, which goes back to its pool if it is beyond doubt.
    func release(_ backend: BackendConnection) {
        let node = backend.node
        pools[node].leased -= 1
        instruments.nodes[node].inUse.add(-1)
        if backend.endLease() {
            switch pools[node].candidate.standing {
            case .away, .foreign, .astray: backend.close()
            case .primary, .ready, .behind:
                pools[node].put(backend)
                instruments.nodes[node].idle.add(1)
            }
        }
        if !waiters.isEmpty { serve() }
    }

    /// The connection is over; it was idle or leased.
    func lost(_ backend: BackendConnection) {
        let node = backend.node
        let before = pools[node].idle.count
        pools[node].remove(backend)
        if pools[node].idle.count < before {
            instruments.nodes[node].idle.add(-1)
        } else {
            pools[node].leased -= 1
            instruments.nodes[node].inUse.add(-1)
        }
        // The node may be gone with it.
        watch.look()
        if !waiters.isEmpty { eventLoop.execute { [self] in serve() } }
    }

    /// Gives backends to those who wait, in their order, and opens connections for them. One who waits for what no node shows yet holds nobody up.
    private func serve() {
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        let now = eventLoop.now
        var place = 0
        var awaitsPosition = false
        defer { if awaitsPosition { watch.look() } }
        while place < waiters.count {
            let client = waiters[place]
            switch choose(for: client, isLate: client.isLate(now)) {
            case .node(let index):
                let backend = take(index) ?? takeElsewhere(than: index, for: client, isLate: client.isLate(now))
                if let backend {
                    withdraw(client)
                    client.granted(backend)
                } else if pools.reduce(0, { $0 + $1.connecting }) < waiters.count {
                    open(index)
                } else {
                    return
                }
            case .wait(.floor):
                awaitsPosition = true
                place += 1
            // Whoever is behind has waited for less, and can't do better, unless this one has a node to avoid, or few that show what it wants.
            case .wait(.full), .wait(.nobody):
                guard client.avoidedNode != nil || !client.wanted.isEmpty else { return }
                place += 1
            case .refuse(let reason):
                withdraw(client)
                instruments.refusals.add()
                client.refused(reason)
            }
        }
    }

    // MARK: Connections to nodes

    private func open(_ index: Int) {
        let address = configuration.upstream.nodes[index]
        pools[index].connecting += 1
        let backend = BackendConnection(node: index, loop: self) { [self] result in
            pools[index].connecting -= 1
            switch result {
            case .success(let backend):
                instruments.nodes[index].opened.add()
                pools[index].put(backend)
                instruments.nodes[index].idle.add(1)
            case .failure(let report):
                instruments.nodes[index].failed.add()
                pools[index].markDown()
                log.warning("a node can't be read from", metadata: ["node": "\(address)", "reason": "\(report)"])
                watch.look()
            }
            eventLoop.execute { [self] in serve() }
        }
        dialer.dial(address, on: eventLoop, backend).assumeIsolated().whenFailure { error in
            backend.couldNotConnect("\(error)")
        }
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.upstream.connectTimeout)) {
            backend.loginIsLate()
        }
    }

    /// Asks a node to cancel what a backend does, over a connection of its own; the server closes it when the signal is sent.
    func sendCancel(_ key: CancelKey, to index: Int) {
        instruments.cancels.add()
        var writer = WireWriter()
        StartupPacket.cancel(key).encode(into: &writer)
        let packet = ByteBuffer(bytes: writer.bytes)
        let address = configuration.upstream.nodes[index]
        dialer.dial(address, on: eventLoop, nil).whenComplete { [log] result in
            switch result {
            case .success(let channel):
                channel.writeAndFlush(packet).whenComplete { _ in
                    channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
                }
            case .failure(let error):
                log.warning(
                    "a cancel request did not get through",
                    metadata: ["node": "\(address)", "reason": "\(error)"]
                )
            }
        }
    }

    // MARK: The end

    /// Tells every client to go, those within a transaction after `grace`; completes when all are gone.
    func drain(grace: TimeAmount) -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        if let drained { return drained.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        drained = promise
        if clients.isEmpty {
            finishDraining(promise)
        } else {
            for client in clients.values { client.goAway(force: false) }
            eventLoop.assumeIsolated().scheduleTask(in: grace) { [self] in
                for client in clients.values { client.goAway(force: true) }
            }
        }
        return promise.futureResult
    }

    private func finishDraining(_ promise: EventLoopPromise<Void>) {
        sweep?.cancel()
        for index in pools.indices { closeIdle(index) }
        promise.succeed()
    }
}
