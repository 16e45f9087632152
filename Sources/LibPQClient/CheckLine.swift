/// One thing that was checked, and how it was found.
package struct CheckLine: Hashable, Sendable, Codable {
    package enum Level: String, Hashable, Sendable, Codable, CaseIterable {
        case ok
        /// It works, and not as well as it could, or not for long.
        case warn
        /// Forebay can't do its work.
        case fail
    }

    package var level: Level
    /// What the line is about: a node, a stream, the ledger.
    package var subject: String
    package var finding: String
    /// How to mend it; nil for what is well.
    package var remedy: String?

    package init(_ level: Level, _ subject: String, _ finding: String, remedy: String? = nil) {
        self.level = level
        self.subject = subject
        self.finding = finding
        self.remedy = remedy
    }
}
