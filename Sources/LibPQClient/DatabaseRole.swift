/// A role that Forebay connects as, with the password that it is to have.
package struct DatabaseRole: Hashable, Sendable {
    package var name: String
    /// Nil leaves the password as it is.
    package var password: String?

    package init(name: String, password: String?) {
        self.name = name
        self.password = password
    }
}

extension DatabaseRole: CustomStringConvertible {
    /// Without the password.
    package var description: String { name }
}
