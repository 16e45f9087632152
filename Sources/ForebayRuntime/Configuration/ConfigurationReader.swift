import Yams

/// Collects what reading a configuration brings up: faults, warnings, the place of every value, the variables that mean something.
///
/// Used by one task, for the time of one load.
final class ConfigurationReader {
    /// Every variable of the configuration begins with this.
    static let prefix = "FOREBAY_"

    /// What faults call the file; nil without one.
    let file: String?
    let environment: [String: String]
    private(set) var faults: [ConfigurationFault] = []
    private(set) var places: [String: ConfigurationPlace] = [:]
    private(set) var knownVariables: [String] = []

    init(file: String?, environment: [String: String]) {
        self.file = file
        self.environment = environment
    }

    func report(_ fault: ConfigurationFault) {
        faults.append(fault)
    }

    func note(_ place: ConfigurationPlace, of key: String) {
        places[key] = place
    }

    /// Where the value of `key` was read, or else the innermost section around it that the file has.
    func nearestPlace(of key: String) -> ConfigurationPlace {
        var rest = Substring(key)
        while true {
            if let place = places[String(rest)] { return place }
            guard let cut = rest.lastIndex(where: { $0 == "." || $0 == "[" }) else { return .byDefault }
            rest = rest[..<cut]
        }
    }

    func place(of mark: Mark?) -> ConfigurationPlace {
        .file(file ?? "", line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    /// The value of a variable that the configuration knows; nil if it is not set.
    func variable(_ name: String) -> String? {
        knownVariables.append(name)
        return environment[name]
    }

    /// The name of the variable for a key: `FOREBAY_QUEUE_MAX_BYTES` for `queue.max_bytes`.
    static func variableName(_ path: [String]) -> String {
        prefix + path.map(spelling).joined(separator: "_")
    }

    /// A part of a key as variables spell it: upper case, and `_` for all that is neither letter nor digit.
    static func spelling(_ part: String) -> String {
        String(part.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
    }

    /// The file's text as a tree; nil if it is empty or can't be parsed, which is then reported.
    func compose(_ yaml: String) -> Node? {
        do {
            return try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            report(fault(of: error))
        } catch {
            report(ConfigurationFault(key: "", place: place(of: nil), found: "\(error)", expected: "YAML"))
        }
        return nil
    }

    /// The parser's own texts quote the file, which may hold a secret: only its problem and the place are passed on.
    private func fault(of error: YamlError) -> ConfigurationFault {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let circumstance = context.map { " (\($0.text))" } ?? ""
            return ConfigurationFault(
                key: "",
                place: place(of: mark),
                found: "what is not YAML: \(problem)\(circumstance)",
                expected: "YAML"
            )
        case .duplicatedKeysInMapping(let names, let context):
            return ConfigurationFault(
                key: names.sorted().joined(separator: ", "),
                place: place(of: context.mark),
                found: "the key twice",
                expected: "it once"
            )
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            return ConfigurationFault(
                key: "",
                place: place(of: nil),
                found: "what is not YAML: \(problem)",
                expected: "YAML"
            )
        case .no, .memory, .dataCouldNotBeDecoded:
            return ConfigurationFault(
                key: "",
                place: place(of: nil),
                found: "a file that can't be parsed",
                expected: "YAML"
            )
        }
    }
}
