/// A promise of the code under test that an input breaks: what a fuzzer looks for besides traps and bad memory accesses.
package struct Finding: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Throws a ``Finding`` unless the promise is kept.
package func promise(_ isKept: Bool, _ broken: @autoclosure () -> String) throws(Finding) {
    guard isKept else { throw Finding(broken()) }
}
