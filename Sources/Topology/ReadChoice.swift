/// Where a transaction is read, or what its reader does instead. The table is <doc:ReadChoice>.
package enum ReadChoice: Hashable, Sendable {
    /// By its index among the candidates.
    case node(Int)
    /// Until something changes, or the reader's time is up.
    case wait(Reason)
    case refuse(Reason)

    package enum Reason: Hashable, Sendable {
        /// Every connection that may be used is taken.
        case full
        /// No node shows what the reader must see.
        case floor
        /// No node may be read from.
        case nobody
    }

    /// A node, as far as the choice looks.
    package struct Candidate: Hashable, Sendable {
        package var standing: ReadRoster.Standing
        /// Connections that readers hold.
        package var inUse: Int
        /// There is an idle connection, or one more may be opened.
        package var isOpen: Bool
        /// It shows the reader's floor.
        package var reaches: Bool

        package init(standing: ReadRoster.Standing = .away, inUse: Int = 0, isOpen: Bool = true, reaches: Bool = true) {
            self.standing = standing
            self.inUse = inUse
            self.isOpen = isOpen
            self.reaches = reaches
        }
    }

    /// What is done when no replica is ready.
    package enum LastResort: String, Hashable, Sendable, CaseIterable {
        case primary, wait, error
    }

    /// What is done when a floor was waited for in vain.
    package enum Overdue: String, Hashable, Sendable, CaseIterable {
        case primary, error, stale
    }

    package struct Policy: Hashable, Sendable {
        package var lastResort: LastResort
        package var overdue: Overdue

        package init(lastResort: LastResort = .primary, overdue: Overdue = .primary) {
            self.lastResort = lastResort
            self.overdue = overdue
        }
    }

    /// Allocates nothing: it is asked for each transaction.
    ///
    /// - Parameters:
    ///   - turn: any number; it decides among equals, so that the next reader gets another one.
    ///   - isLate: the reader has waited as long as it may.
    package static func of(_ nodes: [Candidate], policy: Policy, turn: Int, isLate: Bool) -> ReadChoice {
        let hasReady = nodes.contains { $0.standing == .ready }
        guard hasReady else { return lastResort(nodes, policy, turn: turn, isLate: isLate) }
        if let index = least(nodes, .ready, turn, reaching: true) { return .node(index) }
        let reason: Reason = nodes.contains { $0.standing == .ready && $0.reaches } ? .full : .floor
        switch (reason, isLate) {
        case (_, false): return .wait(reason)
        case (.full, true), (.nobody, true): return .refuse(reason)
        case (.floor, true): break
        }
        switch policy.overdue {
        case .primary: return primary(nodes, policy, turn: turn, isLate: true, otherwise: .floor)
        case .error: return .refuse(.floor)
        case .stale: return least(nodes, .ready, turn, reaching: false).map(ReadChoice.node) ?? .refuse(.full)
        }
    }

    private static func lastResort(_ nodes: [Candidate], _ policy: Policy, turn: Int, isLate: Bool) -> ReadChoice {
        switch policy.lastResort {
        case .primary: primary(nodes, policy, turn: turn, isLate: isLate, otherwise: .nobody)
        case .wait: isLate ? .refuse(.nobody) : .wait(.nobody)
        case .error: .refuse(.nobody)
        }
    }

    private static func primary(
        _ nodes: [Candidate],
        _ policy: Policy,
        turn: Int,
        isLate: Bool,
        otherwise: Reason
    ) -> ReadChoice {
        guard let index = nodes.firstIndex(where: { $0.standing == .primary }) else {
            return isLate ? .refuse(otherwise) : .wait(otherwise)
        }
        if !nodes[index].reaches, !(isLate && policy.overdue == .stale) {
            return isLate ? .refuse(.floor) : .wait(.floor)
        }
        if nodes[index].isOpen { return .node(index) }
        return isLate ? .refuse(.full) : .wait(.full)
    }

    private static func least(
        _ nodes: [Candidate],
        _ standing: ReadRoster.Standing,
        _ turn: Int,
        reaching: Bool
    ) -> Int? {
        var best: Int?
        for step in nodes.indices {
            let index = (step + turn) % nodes.count
            let node = nodes[index]
            guard node.standing == standing, node.isOpen, node.reaches || !reaching else { continue }
            if let found = best, nodes[found].inUse <= node.inUse { continue }
            best = index
        }
        return best
    }
}
