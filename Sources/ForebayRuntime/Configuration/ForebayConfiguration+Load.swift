/// A configuration as it was found.
package struct LoadedConfiguration: Sendable {
    package var configuration: ForebayConfiguration
    /// nil if the environment alone configures.
    package var file: String?
    package var warnings: [ConfigurationWarning]
}

extension ForebayConfiguration {
    /// Where a file is looked for when none is named, in this order.
    package static let searchPath = ["forebay.yaml", "/etc/forebay/forebay.yaml"]

    /// Reads the file and the environment, and checks all of it.
    ///
    /// Blocks on the file system; called once at the start of a verb.
    ///
    /// - Parameters:
    ///   - path: the file; nil looks at ``searchPath``, and goes without a file if there is none but variables configure.
    ///   - environment: of the process.
    ///   - checkingFiles: also check that the password, token, certificate and key files that are named can be read. Verbs
    ///     that need none of them leave it out.
    ///   - searchPath: for tests.
    /// - Throws: every fault at once.
    package static func load(
        path: String? = nil,
        environment: [String: String],
        checkingFiles: Bool = false,
        searchPath: [String] = ForebayConfiguration.searchPath
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        guard let file = try find(path, in: searchPath, environment: environment) else {
            return try parse("", named: nil, environment: environment, checkingFiles: checkingFiles)
        }
        return try parse(file.text, named: file.path, environment: environment, checkingFiles: checkingFiles)
    }

    /// The same from the text of a file. Touches no file unless `checkingFiles`.
    ///
    /// - Parameter file: what faults call the text; nil for the environment alone.
    package static func parse(
        _ yaml: String,
        named file: String?,
        environment: [String: String],
        checkingFiles: Bool = false
    ) throws(ConfigurationFaults) -> LoadedConfiguration {
        let reader = ConfigurationReader(file: file, environment: environment)
        let root = ConfigurationSection(reader.compose(yaml), path: [], reader: reader)
        let configuration = ForebayConfiguration(reading: root)
        let strangers = EnvironmentCheck(environment: environment, known: reader.knownVariables)

        // A check of a value that could not be read would only complain about the default that stands in for it.
        let unread = Set(reader.faults.map(\.key))
        var checks = configuration.checks(skipping: unread)
        if checkingFiles { configuration.checkFiles(&checks, environment: environment) }

        let faults = reader.faults + checks.faults.map { $0.placed(by: reader) } + strangers.faults
        guard faults.isEmpty else { throw ConfigurationFaults(faults) }
        return LoadedConfiguration(
            configuration: configuration,
            file: file,
            warnings: checks.warnings.map { $0.placed(by: reader) } + strangers.warnings
        )
    }

    private static func find(
        _ path: String?,
        in searchPath: [String],
        environment: [String: String]
    ) throws(ConfigurationFaults) -> (path: String, text: String)? {
        if let path = path ?? environment["FOREBAY_CONFIG"] {
            return (path, try text(of: path))
        }
        if let path = searchPath.first(where: { SmallFile.exists($0) }) {
            return (path, try text(of: path))
        }
        if environment.keys.contains(where: EnvironmentCheck.configures) { return nil }
        throw ConfigurationFaults([
            ConfigurationFault(
                key: "",
                place: .file(searchPath.joined(separator: ", "), line: 0, column: 0),
                found: "no such file",
                expected: "a configuration",
                remedy:
                    "Name one with --config FILE, copy deploy/forebay.yaml to one of these places, or set FOREBAY_ variables."
            )
        ])
    }

    private static func text(of path: String) throws(ConfigurationFaults) -> String {
        do {
            return try SmallFile.readText(path)
        } catch {
            throw ConfigurationFaults([
                ConfigurationFault(
                    key: "",
                    place: .file(path, line: 0, column: 0),
                    found: "a file that can't be read (\(error.reason))",
                    expected: "a configuration"
                )
            ])
        }
    }
}

extension ConfigurationFault {
    /// The fault at the place its value, or the nearest section around it, was read from.
    fileprivate func placed(by reader: ConfigurationReader) -> ConfigurationFault {
        var fault = self
        fault.place = reader.nearestPlace(of: key)
        return fault
    }
}

extension ConfigurationWarning {
    fileprivate func placed(by reader: ConfigurationReader) -> ConfigurationWarning {
        var warning = self
        warning.place = reader.nearestPlace(of: key)
        return warning
    }
}
