import ForebayRuntime

/// Configuration and token files.
///
/// Input: a byte; lines `NAME=value` of an environment up to an empty line if it is `E`; then the text of a file: tokens if the byte
/// is `T`, else YAML.
enum ConfigurationTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let kind = input.byte()
        if kind == UInt8(ascii: "T") { return try readTokens(Array(input.rest)) }
        var text = String(decoding: input.rest, as: UTF8.self)
        var environment: [String: String] = [:]
        if kind == UInt8(ascii: "E") {
            let parts = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
            text = parts.count > 1 ? String(parts[1]) : ""
            for line in parts[0].split(separator: "\n") {
                guard let mark = line.firstIndex(of: "=") else { continue }
                environment[String(line[..<mark])] = String(line[line.index(after: mark)...])
            }
        }
        try read(text, environment)
    }

    private static func read(_ text: String, _ environment: [String: String]) throws(Finding) {
        let first = parse(text, environment)
        let second = parse(text, environment)
        switch (first, second) {
        case (.success(let loaded), .success(let again)):
            let faults = loaded.configuration.validate()
            try promise(faults.isEmpty, "what was accepted is not valid: \(faults.first.map(\.description) ?? "")")
            try promise(loaded.configuration == again.configuration, "the same text gives another configuration")
            try promise(loaded.warnings == again.warnings, "the same text gives other warnings")
        case (.failure(let faults), .failure(let again)):
            try promise(!faults.faults.isEmpty, "refused without a fault")
            try promise(faults == again, "the same text gives other faults")
            for fault in faults.faults {
                try promise(!fault.found.isEmpty && !fault.expected.isEmpty, "a fault without words: \(fault)")
            }
        default:
            throw Finding("the same text is accepted and refused")
        }
    }

    private static func parse(
        _ text: String,
        _ environment: [String: String]
    ) -> Result<LoadedConfiguration, ConfigurationFaults> {
        Result { () throws(ConfigurationFaults) in
            try ForebayConfiguration.parse(text, named: "forebay.yaml", environment: environment)
        }
    }

    private static func readTokens(_ bytes: [UInt8]) throws(Finding) {
        guard let tokens = try? TokenFile(parsing: bytes, named: "tokens") else { return }
        for entry in tokens.entries {
            try promise(entry.digest.count == 32, "a digest of \(entry.digest.count) bytes")
            try promise(!entry.name.isEmpty, "a token without a name")
        }
        try promise(Set(tokens.entries.map(\.name)).count == tokens.entries.count, "two tokens of one name")
    }
}
