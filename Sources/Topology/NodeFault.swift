/// Why a node said nothing.
package struct NodeFault: Error, Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Nothing listens there, or the way there is barred.
        case down
        /// It took the connection, or had it, and does not answer.
        case hung
        /// It is starting, stopping or recovering, and lets nobody in.
        case refusing
        /// The password is wrong or missing.
        case wrongPassword = "wrong password"
        /// The role, the database or this machine is not let in.
        case notAllowed = "not allowed"
        case tooManyConnections = "too many connections"
        /// The connection broke in the middle of a question.
        case broken
        /// This process is stopping.
        case stopping
        /// It said something else.
        case other
    }

    package var kind: Kind
    /// What was said, in one line.
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }
}

extension NodeFault: CustomStringConvertible {
    package var description: String { text }
}
