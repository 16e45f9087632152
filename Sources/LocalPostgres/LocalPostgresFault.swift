/// Something about a local cluster did not work; the text says what, and what the program said.
package struct LocalPostgresFault: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}
