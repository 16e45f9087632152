package import Records

/// Whether the required replicas hold what was committed, and what is done while they do not.
///
/// ```
/// whole ──behind for a while──▶ holding ──budget used up──▶ degraded   (unless it may not)
///   ▲                              │                           │
///   └──── they keep up again ──────┴───────────────────────────┘
/// ```
///
/// Owner: whoever serialises the observations.
package struct ReplicationGuard: Sendable {
    package enum State: String, Hashable, Sendable {
        /// The required replicas keep up.
        case whole
        /// They have not for a while: nothing that they lack leaves the queue. To `degraded` when the budget is used up, if that is allowed.
        case holding
        /// The budget was used up: what the primary alone holds may leave the queue, so that ingest goes on. To `whole` by the replicas alone.
        case degraded
    }

    package enum Event: Hashable, Sendable {
        case holds
        case degrades
        case recovers
    }

    /// How far a lane has got.
    package struct Mark: Hashable, Sendable {
        package var lane: LaneKey
        package var committed: Offset
        /// By the required replicas together; nil if too few of them show the lane's epoch.
        package var held: Offset?

        package init(lane: LaneKey, committed: Offset, held: Offset?) {
            self.lane = lane
            self.committed = committed
            self.held = held
        }
    }

    /// What a lane's replicas have to reach, and since when. Under load they are never level with the primary, so it is their progress that counts.
    private struct Goal {
        var offset: Offset
        var since: Duration
    }

    package private(set) var state = State.whole
    private var goals: [LaneKey: Goal] = [:]

    /// In this time the replicas reach what was committed at its beginning, or they are behind.
    package static let patience = Duration.seconds(5)

    private let degrades: Bool

    /// - Parameter degrades: false keeps what the replicas lack whatever it costs: then ingest stops when the budget is used up.
    package init(degrades: Bool = true) {
        self.degrades = degrades
    }

    /// - Parameters:
    ///   - marks: every lane that was claimed.
    ///   - isPressed: the disk budget has no room.
    ///   - hasPrimary: there is a node to write to. Without one, giving up what the replicas lack would make a coming failover a loss, and would
    ///     help little, since nothing drains.
    package mutating func look(_ marks: [Mark], isPressed: Bool, hasPrimary: Bool, at now: Duration) -> Event? {
        let isBehind = measure(marks, at: now)
        switch (state, isBehind) {
        case (.whole, false): return nil
        case (.holding, false), (.degraded, false):
            state = .whole
            return .recovers
        case (.whole, true), (.holding, true):
            if degrades, isPressed, hasPrimary {
                state = .degraded
                return .degrades
            }
            defer { state = .holding }
            return state == .holding ? nil : .holds
        case (.degraded, true): return nil
        }
    }

    /// Returns whether some lane's replicas have not reached in time what they had to.
    private mutating func measure(_ marks: [Mark], at now: Duration) -> Bool {
        var kept: [LaneKey: Goal] = [:]
        var isBehind = false
        for mark in marks {
            var goal = goals[mark.lane] ?? Goal(offset: mark.committed, since: now)
            // After a failover less is committed than was to be reached.
            goal.offset = min(goal.offset, mark.committed)
            if let held = mark.held, held >= goal.offset { goal = Goal(offset: mark.committed, since: now) }
            if now - goal.since > Self.patience { isBehind = true }
            kept[mark.lane] = goal
        }
        goals = kept
        return isBehind
    }

    /// What is committed may leave the queue though a required replica does not show it: as long as the budget has no room, and no longer.
    package func yields(isPressed: Bool, hasPrimary: Bool) -> Bool {
        state == .degraded && isPressed && hasPrimary
    }
}
