package import Records

/// How far a lane has got outside the queue, and what of it may be trimmed for that: committed ≥ replicated, always.
package struct DeliveryMarks: Hashable, Sendable {
    /// The position of the primary's ledger.
    package private(set) var committed: Offset
    /// What all required replicas show.
    package private(set) var replicated: Offset
    /// What the ledger was put back from, as long as nobody has decided about it; none if it was not.
    package private(set) var undecided: Offset
    /// What may go for want of room though a required replica lacks it. Never written down: it is a state, not a fact.
    private var givenUp = Offset.none

    package init(committed: Offset, replicated: Offset, undecided: Offset = .none) {
        self.committed = committed
        self.undecided = undecided
        self.replicated = min(replicated, committed)
    }

    /// The ledger is here. If it went back (a failover), so do the others: what was beyond it is committed and replicated anew.
    package mutating func setCommitted(_ offset: Offset, undecided: Offset = .none) {
        committed = offset
        self.undecided = undecided
        replicated = min(replicated, offset)
        givenUp = min(givenUp, offset)
    }

    package mutating func setReplicated(_ offset: Offset) {
        replicated = min(offset, committed)
    }

    /// - Parameter offset: none if nothing is given up (any more).
    package mutating func giveUp(_ offset: Offset) {
        givenUp = min(offset, committed)
    }

    /// What may be trimmed now.
    package func trimmable(isPressed: Bool) -> Offset {
        isPressed ? max(replicated, givenUp) : replicated
    }
}
