import Records

/// A type of value that the configuration may hold, made from the text of a YAML scalar or of a variable.
protocol Configurable: Sendable {
    /// Throws what was expected instead, and the remedy where one can be told from the text.
    init(configured text: String) throws(ConfigurationMismatch)
    /// The text must not be shown in a fault.
    static var isSecret: Bool { get }
}

extension Configurable {
    static var isSecret: Bool { false }
}

/// Why a text is not a value of a type.
struct ConfigurationMismatch: Error, Hashable, Sendable {
    /// A noun phrase.
    var expected: String
    /// A sentence.
    var remedy: String?

    init(expected: String, remedy: String? = nil) {
        self.expected = expected
        self.remedy = remedy
    }
}

extension String: Configurable {
    init(configured text: String) throws(ConfigurationMismatch) {
        guard !text.isEmpty else { throw ConfigurationMismatch(expected: "a text that is not empty") }
        guard !text.utf8.contains(0) else { throw ConfigurationMismatch(expected: "a text without a NUL character") }
        self = text
    }
}

extension Int: Configurable {
    init(configured text: String) throws(ConfigurationMismatch) {
        guard let value = Int(text), !text.hasPrefix("+") else {
            throw ConfigurationMismatch(expected: "a whole number")
        }
        self = value
    }
}

extension Secret: Configurable {
    static var isSecret: Bool { true }

    init(configured text: String) throws(ConfigurationMismatch) {
        guard !text.isEmpty else { throw ConfigurationMismatch(expected: "a password") }
        self.init(text)
    }
}

extension TableName: Configurable {
    /// `schema.table` or `table`, both as PostgreSQL stores them, unquoted.
    init(configured text: String) throws(ConfigurationMismatch) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let isName = { (part: String) in !part.isEmpty && !part.contains("\"") && part.utf8.count <= 63 }
        guard (1...2).contains(parts.count), parts.allSatisfy(isName) else {
            throw ConfigurationMismatch(
                expected: "a table as schema.table, without quotes, each name of 63 bytes at most"
            )
        }
        self.init(schema: parts.count == 2 ? parts[0] : "public", name: parts[parts.count - 1])
    }
}

/// A word out of a fixed list.
protocol ConfigurableChoice: Configurable, RawRepresentable, CaseIterable where RawValue == String {}

extension ConfigurableChoice {
    init(configured text: String) throws(ConfigurationMismatch) {
        guard let choice = Self(rawValue: text) else {
            let words = Self.allCases.map(\.rawValue)
            throw ConfigurationMismatch(
                expected: "one of \(words.joined(separator: ", "))",
                remedy: nearestMatch(to: text, among: words).map { "Did you mean \($0)?" }
            )
        }
        self = choice
    }
}

extension ForebayConfiguration.Queue.Sync: ConfigurableChoice {}
extension ForebayConfiguration.Postgres.SSLMode: ConfigurableChoice {}
extension ForebayConfiguration.Retention.OnRestore: ConfigurableChoice {}
extension ForebayConfiguration.Retention.OnLostReplica: ConfigurableChoice {}
extension ForebayConfiguration.Idempotency.Scope: ConfigurableChoice {}
extension ForebayConfiguration.Ingest.Auth: ConfigurableChoice {}
extension ForebayConfiguration.Read.Pool: ConfigurableChoice {}
extension ForebayConfiguration.Read.LastResort: ConfigurableChoice {}
extension ForebayConfiguration.Read.Overdue: ConfigurableChoice {}
extension ForebayConfiguration.Log.Level: ConfigurableChoice {}
extension ForebayConfiguration.Log.Format: ConfigurableChoice {}

extension ForebayConfiguration.Retention.RequiredReplicas: Configurable, CustomStringConvertible {
    init(configured text: String) throws(ConfigurationMismatch) {
        switch text {
        case "all": self = .all
        case "none": self = .primaryOnly
        default:
            guard let count = Int(text), count > 0, !text.hasPrefix("+") else {
                throw ConfigurationMismatch(expected: "all, none, or a number of replicas from 1 on")
            }
            self = .atLeast(count)
        }
    }

    package var description: String {
        switch self {
        case .all: "all"
        case .primaryOnly: "none"
        case .atLeast(let count): String(count)
        }
    }
}
