/// A step of the set-up did not succeed. Steps before it stand; the set-up can be run again.
package struct SetupFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was being done.
    package var step: String
    package var reason: String
    /// What to do about it, where that is known.
    package var remedy: String?

    package init(step: String, reason: String, remedy: String? = nil) {
        self.step = step
        self.reason = reason
        self.remedy = remedy
    }

    package var description: String {
        "\(step): \(reason)" + (remedy.map { "\n  remedy: \($0)" } ?? "")
    }
}
