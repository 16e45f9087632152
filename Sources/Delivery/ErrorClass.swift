/// What kind of trouble a fault is. See "Flush outcomes" for how each arises.
///
/// Transient unless proven otherwise: only `poison` and `stream` ever set a row aside.
package enum ErrorClass: Hashable, Sendable, CaseIterable {
    /// No connection, it broke, or a deadline passed.
    case connection
    /// Serialization failure or deadlock: the same flush may well pass now.
    case conflict
    /// The server can't take anything now.
    case unavailable
    /// A row was refused for what it holds.
    case poison
    /// A COPY was refused whatever its rows hold.
    case stream
    /// `forebay.advance` did not find the claim's epoch and position.
    case fenced
    /// Not understood, and so waited for.
    case unknown

    /// What `forebay.advance` raises unless it moved exactly one row.
    package static let fencedState = "FB001"

    package init(_ fault: DeliveryFault) {
        switch fault.cause {
        case .connection:
            self = .connection
        case .server(let error):
            self.init(
                sqlState: error.sqlState,
                namesCopy: fault.part != nil,
                atCommit: fault.phase == .committing
            )
        }
    }

    /// - Parameters:
    ///   - sqlState: PostgreSQL manual, appendix A "Error Codes"; the first two characters are the class.
    ///   - namesCopy: it is known which COPY the server refused, so `forebay.advance` is not to blame.
    ///   - atCommit: the end of the last COPY had been sent, so it may be a deferred constraint that speaks.
    package init(sqlState: String, namesCopy: Bool, atCommit: Bool) {
        switch sqlState {
        case Self.fencedState: self = .fenced
        case "25006": self = .unavailable
        case "08P01" where namesCopy: self = .stream
        case "P0001" where namesCopy || atCommit: self = .poison
        default:
            switch sqlState.prefix(2) {
            case "08": self = .connection
            case "40": self = .conflict
            case "28", "3D", "53", "55", "57", "58": self = .unavailable
            case "22", "23", "44", "54": self = namesCopy || atCommit ? .poison : .unknown
            case "0A", "3F", "42": self = namesCopy ? .stream : .unknown
            default: self = .unknown
            }
        }
    }
}
