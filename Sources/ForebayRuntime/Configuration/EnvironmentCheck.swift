/// Looks at the `FOREBAY_` variables that stand for no key.
///
/// One under a section's name is a fault, as an unknown key in the file is. Others are a warning: they may belong to a tool.
/// Kubernetes sets variables of its own for each service in reach, which look alike when the service is called
/// `forebay` or `forebay-ingest` (Kubernetes documentation, "Accessing the Service", environment variables); those mean nothing.
struct EnvironmentCheck {
    private(set) var faults: [ConfigurationFault] = []
    private(set) var warnings: [ConfigurationWarning] = []

    /// Variables that the verbs read for themselves.
    private static let ofVerbs = ["FOREBAY_CONFIG", "FOREBAY_TOKEN", "FOREBAY_URL"]
    private static let sections = [
        "QUEUE", "POSTGRES", "STREAMS", "RETENTION", "IDEMPOTENCY", "DELIVERY", "INGEST", "READ", "OPS", "LOG",
    ]

    /// The variable sets, or means to set, a key of the configuration.
    static func configures(_ name: String) -> Bool {
        guard name.hasPrefix(ConfigurationReader.prefix), !isOfKubernetes(name) else { return false }
        let rest = name.dropFirst(ConfigurationReader.prefix.count)
        return sections.contains { rest.hasPrefix($0 + "_") }
    }

    init(environment: [String: String], known: [String]) {
        let meaningful = Set(known + Self.ofVerbs)
        for name in environment.keys.sorted()
        where name.hasPrefix(ConfigurationReader.prefix) && !meaningful.contains(name) && !Self.isOfKubernetes(name) {
            let near = nearestMatch(to: name, among: known).map { "Did you mean \($0)?" }
            if Self.configures(name) {
                let fault = ConfigurationFault(
                    key: "",
                    place: .environment(name),
                    found: "a variable that stands for no key",
                    expected: "FOREBAY_ and the path of a key",
                    remedy: near
                )
                faults.append(fault)
            } else {
                let text = ["This variable stands for no key and has no effect.", near].compactMap(\.self)
                warnings.append(
                    ConfigurationWarning(key: "", place: .environment(name), text: text.joined(separator: " "))
                )
            }
        }
    }

    private static func isOfKubernetes(_ name: String) -> Bool {
        if name.hasSuffix("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.hasSuffix("_PORT") { return true }
        let parts = name.split(separator: "_")
        // FOREBAY_PORT_4318_TCP, and the same with _PROTO, _PORT or _ADDR.
        return zip(parts, zip(parts.dropFirst(), parts.dropFirst(2))).contains { first, next in
            first == "PORT" && UInt16(next.0) != nil && ["TCP", "UDP", "SCTP"].contains(next.1)
        }
    }
}
