import PostgresWire

/// What a server told of itself and of a session: ParameterStatus. Equal ones are the same object on a loop, so that comparing costs nothing.
final class ParameterSet {
    let values: [String: String]

    init(_ values: [String: String]) {
        self.values = values
    }
}

/// The settings that a client wants of its session, by names in lower case. Equal ones are the same object on a loop.
///
/// Owner: one event loop.
final class SessionSettings {
    let values: [String: String]
    /// Those of them on which it depends what a text stands for when it is prepared.
    let reading: String
    /// What a backend with these settings told last; nil as long as none has taken them.
    var parameters: ParameterSet?

    init(_ values: [String: String]) {
        self.values = values
        // No value has a NUL in it.
        reading = values.filter { Self.isRead($0.key) }.sorted { $0.key < $1.key }
            .map { "\($0.key)\0\($0.value)\0" }.joined()
    }

    /// Whether a server looks at a setting when it prepares a statement: at how the text is to be taken apart, what a constant without a type is as one
    /// of the type that is wanted (which it is from then on), and what a name stands for. A setting of an extension's may do any of that.
    private static func isRead(_ name: String) -> Bool { name.contains(".") || read.contains(name) }

    static let read: Set<String> = [
        // The text.
        "client_encoding", "standard_conforming_strings", "backslash_quote", "transform_null_equals",
        // Constants.
        "timezone", "timezone_abbreviations", "datestyle", "intervalstyle", "lc_monetary", "array_nulls", "xmloption",
        // Names.
        "search_path",
    ]

    /// Statements that make these out of other settings, in one simple query: all take effect, or none.
    func statements(from other: SessionSettings) -> String {
        let gone = other.values.keys.filter { values[$0] == nil }.sorted()
        let changed = values.filter { other.values[$0.key] != $0.value }.sorted { $0.key < $1.key }
        var text = gone.map { "RESET \(Self.identifier($0));" }.joined()
        if !changed.isEmpty {
            let calls = changed.map {
                "pg_catalog.set_config(\(Self.literal($0.key)), \(Self.literal($0.value)), false)"
            }
            text += "SELECT \(calls.joined(separator: ", "))"
        }
        return text
    }

    /// What a session has that its connection did not begin with.
    static let harvest = "SELECT name, setting FROM pg_catalog.pg_settings WHERE source IN ('session', 'interactive')"

    /// A setting's name, whose parts are separated by dots.
    private static func identifier(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false)
            .map { "\"\($0.replacing("\"", with: "\"\""))\"" }.joined(separator: ".")
    }

    /// Reads the same whatever `standard_conforming_strings` says.
    private static func literal(_ text: String) -> String {
        let quoted = text.replacing("'", with: "''")
        return quoted.contains("\\") ? "E'\(quoted.replacing("\\", with: "\\\\"))'" : "'\(quoted)'"
    }

    /// The settings of a startup packet: `options` are read as a server reads them (`-c name=value`, `--name=value`).
    static func of(_ startup: StartupMessage) throws(Report) -> [String: String] {
        var values: [String: String] = [:]
        func set(_ name: String, _ value: String) throws(Report) {
            let name = name.lowercased().replacing("-", with: "_")
            guard !refused.contains(name) else {
                throw Report(.fatal, "0A000", "\(name) can't be set on the read port")
            }
            guard !name.hasPrefix("forebay.") else {
                throw Report(
                    .fatal,
                    "42704",
                    "unrecognized configuration parameter \"\(name)\"",
                    hint: "\(OwnSetting.name) is a startup parameter of its own, not one of options."
                )
            }
            values[name] = value
        }
        for parameter in startup.parameters where !parameter.name.hasPrefix("_pq_.") {
            switch parameter.name {
            case "user", "database", OwnSetting.name: break
            case "replication":
                guard ["false", "off", "no", "0"].contains(parameter.value.lowercased()) else {
                    throw Report(.fatal, "0A000", "replication is not served by the read port")
                }
            case "options":
                var words = split(parameter.value)[...]
                while let word = words.popFirst() {
                    var setting = word
                    if word == "-c", let next = words.popFirst() {
                        setting = next
                    } else if word.hasPrefix("-c") || word.hasPrefix("--") {
                        setting = String(word.dropFirst(2))
                    } else {
                        throw Report(.fatal, "0A000", "the option \(word) is not served by the read port")
                    }
                    let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                    guard parts.count == 2 else {
                        throw Report(.fatal, "42601", "the option \(setting) has no value")
                    }
                    try set(String(parts[0]), String(parts[1]))
                }
            default: try set(parameter.name, parameter.value)
            }
        }
        return values
    }

    /// They would take away what makes the port what it is.
    private static let refused: Set<String> = [
        "default_transaction_read_only", "transaction_read_only", "role", "session_authorization",
    ]

    /// At spaces; a backslash keeps the character behind it.
    private static func split(_ options: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isEscaped = false
        for character in options {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == " " {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}
