/// Where a value of the configuration comes from.
package enum ConfigurationPlace: Hashable, Sendable {
    /// Line and column count from 1, as editors do; line 0 is the file as a whole.
    case file(String, line: Int, column: Int)
    /// The name of the variable.
    case environment(String)
    /// Nobody set it.
    case byDefault
}

extension ConfigurationPlace: CustomStringConvertible {
    package var description: String {
        switch self {
        case .file(let path, 0, _): path
        case .file(let path, let line, let column): "\(path):\(line):\(column)"
        case .environment(let name): "environment \(name)"
        case .byDefault: "default"
        }
    }
}

/// One thing that is wrong with the configuration: where, what was found, what was expected, and the remedy if there is one.
///
/// It never holds a password: the value of a secret is not part of `found`.
package struct ConfigurationFault: Error, Hashable, Sendable {
    /// The path of the key, as `ingest.http[1]`; empty if the fault is the file's as a whole.
    package var key: String
    package var place: ConfigurationPlace
    package var found: String
    package var expected: String
    /// A sentence.
    package var remedy: String?

    package init(
        key: String,
        place: ConfigurationPlace = .byDefault,
        found: String,
        expected: String,
        remedy: String? = nil
    ) {
        self.key = key
        self.place = place
        self.found = found
        self.expected = expected
        self.remedy = remedy
    }
}

extension ConfigurationFault: CustomStringConvertible {
    package var description: String {
        let subject = key.isEmpty ? "" : "\(key): "
        let ending = remedy.map { " \($0)" } ?? ""
        return "\(place): \(subject)found \(found), expected \(expected).\(ending)"
    }
}

/// Everything that is wrong with a configuration; thrown as a whole, so that one look mends it.
package struct ConfigurationFaults: Error, Hashable, Sendable {
    /// By place: the file's in the order of its lines, then the environment's, then those of defaults.
    package var faults: [ConfigurationFault]

    package init(_ faults: [ConfigurationFault]) {
        self.faults = faults.enumerated().sorted { left, right in
            let (a, b) = (Self.rank(left.element.place), Self.rank(right.element.place))
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
    }

    private static func rank(_ place: ConfigurationPlace) -> (Int, Int, Int) {
        switch place {
        case .file(_, let line, let column): (0, line, column)
        case .environment: (1, 0, 0)
        case .byDefault: (2, 0, 0)
        }
    }
}

extension ConfigurationFaults: CustomStringConvertible {
    package var description: String {
        let head = faults.count == 1 ? "1 fault in the configuration:" : "\(faults.count) faults in the configuration:"
        return ([head] + faults.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// Something that works as it stands, and that an operator may not want.
package struct ConfigurationWarning: Hashable, Sendable {
    package var key: String
    package var place: ConfigurationPlace
    /// A sentence.
    package var text: String

    package init(key: String, place: ConfigurationPlace = .byDefault, text: String) {
        self.key = key
        self.place = place
        self.text = text
    }
}

extension ConfigurationWarning: CustomStringConvertible {
    package var description: String {
        key.isEmpty ? "\(place): \(text)" : "\(place): \(key): \(text)"
    }
}
