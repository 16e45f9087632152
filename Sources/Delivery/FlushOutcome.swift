package import Records

/// What is to be done about a claim or a flush that did not end well. The lane goes on from the ledger's position in any case.
///
/// The table, with a paragraph on how each row arises, is "Flush outcomes" in this target's documentation.
package enum FlushOutcome: Hashable, Sendable {
    /// The database holds the rows.
    case settled
    /// The database does not hold the rows, and what prevented it has passed.
    case resend
    /// Nothing can be sent now, or the reason is not understood.
    case wait
    /// One of the rows is bad.
    case isolate
    /// A stream fails as a whole.
    case park
    /// Somebody else holds, or held, the lane.
    case fenced

    /// Where the next claim found the ledger, relative to a flush.
    package enum LedgerPlace: Hashable, Sendable, CaseIterable {
        case behind
        case atFrom
        case inside
        case atTo
        case past

        package init(_ position: Offset, from: Offset, to: Offset) {
            if position == to {
                self = .atTo
            } else if position > to {
                self = .past
            } else if position == from {
                self = .atFrom
            } else {
                self = position < from ? .behind : .inside
            }
        }
    }

    /// - Parameter ledger: looked at in phase committing only: before it, the server can not have committed.
    package static func of(
        phase: DeliveryFault.Phase,
        errorClass: ErrorClass,
        ledger: LedgerPlace
    ) -> FlushOutcome {
        switch (phase, ledger) {
        case (.connecting, _): .wait
        case (.claiming, _): ofClaim(errorClass)
        case (.sending, _): ofRefusal(errorClass)
        case (.committing, .atFrom): ofRefusal(errorClass)
        case (.committing, .behind): errorClass == .fenced ? .fenced : .resend
        case (.committing, .inside): .fenced
        case (.committing, .atTo), (.committing, .past): .settled
        }
    }

    /// The claim did not take effect, or nobody was told that it did.
    private static func ofClaim(_ errorClass: ErrorClass) -> FlushOutcome {
        switch errorClass {
        case .conflict: .resend
        case .fenced: .fenced
        case .connection, .unavailable, .poison, .stream, .unknown: .wait
        }
    }

    /// The flush was certainly not committed.
    private static func ofRefusal(_ errorClass: ErrorClass) -> FlushOutcome {
        switch errorClass {
        case .connection, .conflict: .resend
        case .unavailable, .unknown: .wait
        case .poison: .isolate
        case .stream: .park
        case .fenced: .fenced
        }
    }
}
