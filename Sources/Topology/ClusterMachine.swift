package import Records

/// What a proxy makes of its cluster: observations and the lanes' ledger rows in, decisions out. Calls nothing: the watch asks the nodes, writes down, moves
/// the queue's watermarks and tells the lanes.
///
/// Owner: whoever serialises the observations.
package struct ClusterMachine: Sendable {
    package struct Settings: Hashable, Sendable {
        /// The configured nodes, in their order.
        package var nodes: [NodeAddress]
        /// How many replicas must hold what is trimmed.
        package var required: Int
        /// `retention.on_restore: replay`: a cluster that was made anew is taken without asking.
        package var adoptsByItself: Bool
        /// `retention.on_lost_replica: degrade`: what the primary alone holds makes room when the disk budget is used up.
        package var degrades: Bool

        package init(nodes: [NodeAddress], required: Int, adoptsByItself: Bool, degrades: Bool = true) {
            self.nodes = nodes
            self.required = required
            self.adoptsByItself = adoptsByItself
            self.degrades = degrades
        }

        package var replicas: Int { nodes.count - 1 }
    }

    package let settings: Settings
    package private(set) var view: ClusterView
    /// The choice that is acted upon: later than the view's by the time that it takes to write down what goes before it.
    package private(set) var choice: PrimaryChoice
    /// The last node that was written to.
    private var lastPrimary: NodeAddress?
    private var guardian: ReplicationGuard
    /// What all replicas were once seen to hold, together.
    private var horizons: [LaneKey: Offset] = [:]

    /// - Parameters:
    ///   - memory: of the last process; a failure keeps anything from being chosen.
    ///   - replicated: the lanes' replicated watermarks as the last process left them.
    package init(
        _ settings: Settings,
        memory: Result<ClusterMemory?, ClusterMemory.Fault>,
        replicated: [LaneKey: Offset]
    ) {
        self.settings = settings
        view = ClusterView(nodes: settings.nodes, memory: memory)
        choice = view.choice
        guardian = ReplicationGuard(degrades: settings.degrades)
        // With all replicas required, what was trimmable before the start had been seen on all of them.
        if settings.required > 0, settings.required == settings.replicas { horizons = replicated }
    }

    // MARK: The choice

    /// A node was observed.
    package mutating func note(_ observation: NodeObservation, at now: Duration) -> [ClusterView.Action] {
        view.note(observation, at: now)
    }

    /// Takes a cluster that was made anew, if that is to be done without asking; nil if there is nothing of the kind.
    package mutating func adoptByItself(at now: Duration) -> [ClusterView.Action]? {
        guard settings.adoptsByItself, view.isWhollyForeign(at: now) else { return nil }
        return view.adopt(at: now)
    }

    /// An operator takes the cluster that answers, or its timeline; nil if there is nothing of the kind.
    package mutating func adopt(at now: Duration) -> [ClusterView.Action]? {
        view.adopt(at: now)
    }

    /// The choice is acted upon from here on. Returns whether it is another node than the last one that was written to.
    package mutating func act(on choice: PrimaryChoice) -> Bool {
        self.choice = choice
        guard let node = choice.node, node != lastPrimary else { return false }
        defer { lastPrimary = node }
        return lastPrimary != nil
    }

    // MARK: The replicas

    /// A lane as its last claim, and what was committed since, left it.
    package struct Claim: Hashable, Sendable {
        package var lane: LaneKey
        /// The claim's epoch, and the position of the primary's ledger.
        package var row: LedgerRow
        /// The choice that the claim's connection was made by; nil if it is not known yet.
        package var choice: PrimaryChoice?

        package init(lane: LaneKey, row: LedgerRow, choice: PrimaryChoice?) {
            self.lane = lane
            self.row = row
            self.choice = choice
        }
    }

    /// What follows for the lanes from what the replicas show.
    package struct Settlement: Hashable, Sendable {
        package struct Move: Hashable, Sendable {
            package var lane: LaneKey
            /// What the required replicas hold; nil if it can't be told.
            package var held: Offset?
            /// What may leave the queue for want of room though a required replica lacks it; none if nothing may.
            package var givenUp = Offset.none

            package init(lane: LaneKey, held: Offset?, givenUp: Offset = .none) {
                self.lane = lane
                self.held = held
                self.givenUp = givenUp
            }
        }

        package var moves: [Move] = []
        package var event: ReplicationGuard.Event?
        /// Some lane's replicas lack something that is committed.
        package var isBehind = false
    }

    /// Compares what the replicas show with what the primary showed last.
    ///
    /// - Parameters:
    ///   - claims: each lane that was claimed.
    ///   - isPressed: the disk budget has no room.
    package mutating func settle(
        _ claims: [Claim],
        isPressed: Bool,
        at now: Duration
    ) -> Settlement {
        guard settings.replicas > 0 else { return Settlement() }
        var marks: [ReplicationGuard.Mark] = []
        for told in claims {
            guard let primary = told.choice?.node else { continue }
            let (lane, claim) = (told.lane, told.row)
            let shown = view.shown(lane, besides: primary, at: now)
            if let all = ReplicatedWatermark.select(from: shown, required: settings.replicas, claim: claim) {
                horizons[lane] = max(all, horizons[lane] ?? .none)
            }
            let held = ReplicatedWatermark.select(from: shown, required: settings.required, claim: claim)
            marks.append(ReplicationGuard.Mark(lane: lane, committed: claim.position, held: held))
        }
        // What was committed on a node that is the primary no more may not be on the one that is: giving that up would make a loss of the failover.
        let current = Set(claims.filter { choice.node != nil && $0.choice == choice }.map(\.lane))
        let hasPrimary = !current.isEmpty
        let event = guardian.look(marks, isPressed: isPressed, hasPrimary: hasPrimary, at: now)
        let yields = guardian.yields(isPressed: isPressed, hasPrimary: hasPrimary)
        return Settlement(
            moves: marks.map { mark in
                let givesUp = yields && current.contains(mark.lane)
                return Settlement.Move(lane: mark.lane, held: mark.held, givenUp: givesUp ? mark.committed : .none)
            },
            event: event,
            isBehind: marks.contains { ($0.held ?? .none) < $0.committed }
        )
    }

    package var replication: ReplicationGuard.State { guardian.state }

    /// What all replicas were once seen to hold of a lane: a failover to any of them can't show less.
    package func horizon(of lane: LaneKey) -> Offset { horizons[lane] ?? .none }
}
