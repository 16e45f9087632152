/// What a client has prepared and bound of Forebay's own statements. Most clients have none.
struct OwnBook {
    struct Portal {
        var statement: OwnStatement
        /// Of the results, as Bind gave them.
        var formats: [Int16]
        /// Made when the portal is executed first.
        var table: OwnTable?
        /// Rows that were sent.
        var sent = 0
    }

    /// By the client's names; the empty one is the unnamed.
    var statements: [String: OwnStatement] = [:]
    var portals: [String: Portal] = [:]
    /// The rows of all loops' clients, between their coming and the statement that asked for them.
    var gathered: [[OwnTable.Value?]]?

    /// Portals end with their transaction; until then there may be this many.
    static let mostPortals = 64
}
