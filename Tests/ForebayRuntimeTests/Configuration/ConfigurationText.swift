@testable import ForebayRuntime

/// Loads a text as if it were `forebay.yaml`, with nothing in the environment but what is given.
func load(_ yaml: String, _ environment: [String: String] = [:]) throws(ConfigurationFaults) -> LoadedConfiguration {
    try ForebayConfiguration.parse(yaml, named: "forebay.yaml", environment: environment)
}

/// The faults of a text as an operator reads them.
func faults(_ yaml: String, _ environment: [String: String] = [:]) -> [String] {
    do throws(ConfigurationFaults) {
        _ = try load(yaml, environment)
        return []
    } catch {
        return error.faults.map(\.description)
    }
}

extension ForebayConfiguration {
    /// Without the note of who named the password files, which is no value that an operator sets.
    var comparable: ForebayConfiguration {
        var copy = self
        copy.postgres.writer.passwordFileRequired = false
        copy.postgres.reader.passwordFileRequired = false
        return copy
    }
}
