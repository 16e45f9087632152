package import Records

/// What a lane does about the position that a claim found. The table, with a paragraph on each word, is <doc:FailoverAndRestore>.
package enum ClaimDecision: Hashable, Sendable, CaseIterable {
    case goOn
    /// What lies behind the position is sent again.
    case replay
    /// Somebody has to decide.
    case hold
    /// What was committed before is not sent again.
    case skip
    /// What is gone is given up as lost, and what is there is sent again.
    case replayRest
    /// The queue needs another identity.
    case renew

    package enum Place: Hashable, Sendable, CaseIterable {
        case ahead
        case level
        case behind
        case restored
        case trimmed

        package init(_ position: Offset, _ marks: ClaimMarks) {
            if position > marks.known {
                self = .ahead
            } else if position.rawValue + 1 < marks.available.rawValue {
                self = .trimmed
            } else if position >= marks.committed {
                self = .level
            } else {
                self = position < marks.horizon ? .restored : .behind
            }
        }
    }

    package enum System: Hashable, Sendable, CaseIterable {
        case same
        case other
    }

    package enum Order: String, Hashable, Sendable, CaseIterable {
        case hold
        case replay
        case skip
    }

    package static func of(place: Place, system: System, order: Order) -> ClaimDecision {
        switch (place, system, order) {
        case (.ahead, _, _): .renew
        case (.level, _, _): .goOn
        case (.behind, .same, _): .replay
        case (.behind, .other, .hold), (.restored, _, .hold), (.trimmed, _, .hold): .hold
        case (.behind, .other, .replay), (.restored, _, .replay): .replay
        case (.trimmed, _, .replay): .replayRest
        case (.behind, .other, .skip), (.restored, _, .skip), (.trimmed, _, .skip): .skip
        }
    }
}

/// What a claim's position is compared with.
package struct ClaimMarks: Hashable, Sendable {
    /// The last offset that is, or was at the opening, on disk.
    package var known: Offset
    /// The highest position that the ledger was ever seen at.
    package var committed: Offset
    /// What all replicas were once seen to show together.
    package var horizon: Offset
    /// The first offset that is on disk; one past the end if there is none.
    package var available: Offset

    package init(known: Offset, committed: Offset, horizon: Offset, available: Offset) {
        self.known = known
        self.committed = committed
        self.horizon = horizon
        self.available = available
    }
}
