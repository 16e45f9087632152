import Topology

/// The connections of one loop to one node.
///
/// Owner: the loop.
struct NodePool {
    /// The one used last is used first, so that those beyond need grow old.
    private(set) var idle: [BackendConnection] = []
    /// Held by clients.
    var leased = 0
    var connecting = 0
    /// The node refused a connection; it has to answer the watch twice before it is tried again, as one answer may have been under way.
    private var downSince: Int?
    private(set) var route = RouteTable.Node(standing: .away, answers: 0)
    let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    var total: Int { idle.count + leased + connecting }
    var hasRoom: Bool { total < limit }

    var candidate: ReadChoice.Candidate {
        ReadChoice.Candidate(
            standing: downSince == nil ? route.standing : .away,
            inUse: leased + connecting,
            isOpen: !idle.isEmpty || hasRoom
        )
    }

    mutating func update(_ node: RouteTable.Node) {
        route = node
        if let since = downSince, node.answers >= since + 2 { downSince = nil }
    }

    mutating func markDown() {
        downSince = route.answers
    }

    mutating func takeIdle() -> BackendConnection? { idle.popLast() }

    mutating func put(_ backend: BackendConnection) {
        idle.append(backend)
    }

    mutating func remove(_ backend: BackendConnection) {
        idle.removeAll { $0 === backend }
    }

    mutating func takeAllIdle() -> [BackendConnection] {
        defer { idle = [] }
        return idle
    }
}
