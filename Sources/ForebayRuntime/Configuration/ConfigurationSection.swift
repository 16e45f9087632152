import Yams

/// One mapping of the file together with its variables: hands out typed values, and knows which keys there are.
///
/// A variable goes before the file, the file before the default. Whatever is wrong is reported, and the default stands in.
final class ConfigurationSection {
    let reader: ConfigurationReader
    /// Empty for the root.
    let path: [String]
    private let pairs: [(key: String, mark: Mark?, value: Node)]
    private var known: [String] = []

    /// - Parameter node: nil, and YAML's null, stand for a section without keys.
    init(_ node: Node?, path: [String], reader: ConfigurationReader) {
        self.reader = reader
        self.path = path
        guard let node, !node.isNull else {
            pairs = []
            return
        }
        guard let mapping = node.mapping else {
            pairs = []
            reader.report(
                ConfigurationFault(
                    key: path.joined(separator: "."),
                    place: reader.place(of: node.mark),
                    found: node.scalar == nil ? node.kind : "a text",
                    expected: "a mapping of keys to values"
                )
            )
            return
        }
        pairs = mapping.map { key, value in (key.scalar?.string ?? key.kind, key.mark, value) }
    }

    /// The file has something in this section.
    var isInFile: Bool { !pairs.isEmpty }

    func fullKey(_ key: String) -> String { (path + [key]).joined(separator: ".") }

    func variableName(_ key: String) -> String { ConfigurationReader.variableName(path + [key]) }

    private func node(_ key: String) -> Node? {
        known.append(key)
        return pairs.first { $0.key == key }?.value
    }

    // MARK: Single values

    /// - Parameter other: a variable of another product's making that sets the same; the key's own goes before it.
    func value<Value: Configurable>(_ key: String, _ byDefault: Value, or other: String? = nil) -> Value {
        switch found(key, as: Value.self, or: other) {
        case .value(let value): return value
        case .absent, .faulty: return byDefault
        case .null(let place):
            reader.report(missing(key, Value.self, at: place))
            return byDefault
        }
    }

    /// YAML's null sets it to nil.
    func optional<Value: Configurable>(_ key: String, _ byDefault: Value? = nil) -> Value? {
        switch found(key, as: Value.self, or: nil) {
        case .value(let value): value
        case .absent, .faulty: byDefault
        case .null: nil
        }
    }

    /// A value that only the environment may set; in the file it is refused, unseen.
    func variableOnly<Value: Configurable>(_ key: String, remedy: String) -> Value? {
        if let node = node(key) {
            reader.report(
                ConfigurationFault(
                    key: fullKey(key),
                    place: reader.place(of: node.mark),
                    found: "a secret in the file",
                    expected: "none here",
                    remedy: remedy
                )
            )
        }
        let name = variableName(key)
        guard let text = reader.variable(name) else { return nil }
        return parsed(text, key: fullKey(key), place: .environment(name))
    }

    private enum Found<Value> {
        case absent
        case null(ConfigurationPlace)
        case value(Value)
        /// Reported already.
        case faulty
    }

    private func found<Value: Configurable>(_ key: String, as: Value.Type, or other: String?) -> Found<Value> {
        let node = node(key)
        let ours = variableName(key)
        let variables = [(ours, reader.variable(ours))] + (other.map { [($0, reader.environment[$0])] } ?? [])
        for case (let name, let text?) in variables {
            let place = ConfigurationPlace.environment(name)
            return parsed(text, key: fullKey(key), place: place).map(Found.value) ?? .faulty
        }
        guard let node else { return .absent }
        let place = reader.place(of: node.mark)
        if node.isNull { return .null(place) }
        guard let scalar = node.scalar else {
            reader.note(place, of: fullKey(key))
            reader.report(
                ConfigurationFault(
                    key: fullKey(key),
                    place: place,
                    found: node.kind,
                    expected: "a single value"
                )
            )
            return .faulty
        }
        return parsed(scalar.string, key: fullKey(key), place: place).map(Found.value) ?? .faulty
    }

    private func parsed<Value: Configurable>(_ text: String, key: String, place: ConfigurationPlace) -> Value? {
        reader.note(place, of: key)
        do {
            return try Value(configured: text)
        } catch {
            reader.report(
                ConfigurationFault(
                    key: key,
                    place: place,
                    found: Value.isSecret ? "a text" : quoted(text),
                    expected: error.expected,
                    remedy: error.remedy
                )
            )
            return nil
        }
    }

    private func missing<Value: Configurable>(_ key: String, _: Value.Type, at place: ConfigurationPlace)
        -> ConfigurationFault
    {
        ConfigurationFault(
            key: fullKey(key),
            place: place,
            found: "nothing",
            expected: "a value",
            remedy: "Leave the key out for its default."
        )
    }

    /// Reports a key that has no default and was not given.
    func require(_ key: String, expected: String) {
        guard reader.places[fullKey(key)] == nil else { return }
        let place = reader.nearestPlace(of: path.joined(separator: "."))
        reader.report(ConfigurationFault(key: fullKey(key), place: place, found: "nothing", expected: expected))
    }

    /// Reports a fault of the section as a whole.
    func report(found: String, expected: String) {
        let key = path.joined(separator: ".")
        reader.report(
            ConfigurationFault(key: key, place: reader.nearestPlace(of: key), found: found, expected: expected)
        )
    }

    // MARK: Lists and mappings of values

    /// In a variable the elements are separated by commas, and an empty variable is an empty list.
    func list<Value: Configurable>(_ key: String, _ byDefault: [Value]) -> [Value] {
        let node = node(key)
        let name = variableName(key)
        if let text = reader.variable(name) {
            reader.note(.environment(name), of: fullKey(key))
            return elements(of: text).enumerated().compactMap { index, element in
                parsed(element, key: "\(fullKey(key))[\(index)]", place: .environment(name))
            }
        }
        guard let node else { return byDefault }
        let place = reader.place(of: node.mark)
        reader.note(place, of: fullKey(key))
        guard let sequence = node.sequence else {
            let remedy = node.scalar.flatMap { $0.string.isEmpty ? nil : "Write [\(quoted($0.string))]." }
            reader.report(
                ConfigurationFault(
                    key: fullKey(key),
                    place: place,
                    found: node.kind,
                    expected: "a list",
                    remedy: remedy
                )
            )
            return byDefault
        }
        return sequence.enumerated().compactMap { index, element in
            let elementKey = "\(fullKey(key))[\(index)]"
            let place = reader.place(of: element.mark)
            guard let scalar = element.scalar, !element.isNull else {
                reader.report(
                    ConfigurationFault(key: elementKey, place: place, found: element.kind, expected: "a single value")
                )
                return nil
            }
            return parsed(scalar.string, key: elementKey, place: place)
        }
    }

    /// Names and texts in the order of the file; in a variable as `name=text,name=text`.
    func texts(_ key: String) -> [(name: String, text: String)] {
        let node = node(key)
        let name = variableName(key)
        if let text = reader.variable(name) {
            reader.note(.environment(name), of: fullKey(key))
            return elements(of: text).compactMap { element in
                let parts = element.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty else {
                    reader.report(
                        ConfigurationFault(
                            key: fullKey(key),
                            place: .environment(name),
                            found: quoted(element),
                            expected: "name=value, separated by commas"
                        )
                    )
                    return nil
                }
                return (String(parts[0]), String(parts[1]))
            }
        }
        guard let node else { return [] }
        reader.note(reader.place(of: node.mark), of: fullKey(key))
        let section = ConfigurationSection(node, path: path + [key], reader: reader)
        return section.pairs.compactMap { pair in
            guard let scalar = pair.value.scalar, !pair.value.isNull else {
                reader.report(
                    ConfigurationFault(
                        key: section.fullKey(pair.key),
                        place: reader.place(of: pair.value.mark),
                        found: pair.value.kind,
                        expected: "a single value"
                    )
                )
                return nil
            }
            return (pair.key, scalar.string)
        }
    }

    private func elements(of text: String) -> [String] {
        guard !text.allSatisfy(\.isWhitespace) else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { part in
            let start = part.drop(while: \.isWhitespace)
            return String(start.reversed().drop(while: \.isWhitespace).reversed())
        }
    }

    // MARK: Sections

    func section(_ key: String) -> ConfigurationSection {
        let node = node(key)
        if let node { reader.note(reader.place(of: node.mark), of: fullKey(key)) }
        return ConfigurationSection(node, path: path + [key], reader: reader)
    }

    /// The sections of a mapping whose keys the operator chooses: those of the file, then those that only variables name.
    ///
    /// - Parameter members: the keys of each section; a variable that ends in one of them, upper case, names a section.
    func namedSections(_ key: String, members: [String]) -> [(name: String, section: ConfigurationSection)] {
        let parent = section(key)
        var names = parent.pairs.map(\.key)
        let prefix = ConfigurationReader.variableName(parent.path) + "_"
        let endings = members.map { "_" + ConfigurationReader.spelling($0) }
        for variable in reader.environment.keys.sorted() where variable.hasPrefix(prefix) {
            guard let ending = endings.first(where: variable.dropFirst(prefix.count).hasSuffix) else { continue }
            let spelled = variable.dropFirst(prefix.count).dropLast(ending.count)
            guard !names.contains(where: { ConfigurationReader.spelling($0) == spelled }) else { continue }
            names.append(spelled.lowercased())
        }
        return names.map { ($0, parent.section($0)) }
    }

    /// Reports the keys of the file that nothing has asked for. To be called last.
    func refuseUnknownKeys() {
        for pair in pairs where !known.contains(pair.key) {
            reader.report(
                ConfigurationFault(
                    key: fullKey(pair.key),
                    place: reader.place(of: pair.mark),
                    found: "an unknown key",
                    expected: known.count == 1 ? "only \(known[0])" : "one of \(known.joined(separator: ", "))",
                    remedy: nearestMatch(to: pair.key, among: known).map { "Did you mean \($0)?" }
                )
            )
        }
    }
}

/// A text as faults show it: quoted, its control characters escaped, 60 characters at most.
func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(60).map {
        $0.properties.generalCategory == .control ? "\\u{\(String($0.value, radix: 16))}" : String($0)
    }
    return "\"\(shown.joined())\(text.unicodeScalars.count > 60 ? "…" : "")\""
}

extension Node {
    /// A plain scalar that YAML's core schema reads as null (YAML 1.2.2, section 10.3.2).
    fileprivate var isNull: Bool {
        guard let scalar, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    fileprivate var kind: String {
        switch self {
        case .scalar(let scalar): isNull ? "nothing" : quoted(scalar.string)
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
