import ProvingGround

/// What is measured under a load, and who takes part.
protocol Scenario: AnyObject {
    static var name: String { get }
    static var title: String { get }
    /// How it is measured, in sentences.
    static var method: String { get }
    /// What a round yields, in the order in which it is shown.
    static var measures: [Measure] { get }
    /// The measures that get a chart.
    static var charts: [Measure] { get }
    static var goals: [Goal] { get }

    init(_ conditions: Conditions) async throws

    var contenders: [any Contender] { get }
    /// Where everything happens.
    var yard: Yard { get }
}

/// One side of a comparison. Rounds of different contenders alternate; each leaves the machine as it found it.
protocol Contender: AnyObject {
    var name: String { get }
    /// What it is, and what its answer promises.
    var note: String { get }

    /// One round. Throws if a request failed, or if the rows don't add up.
    func round(isLast: Bool) async throws -> Sample
}

/// What one round of one contender came to: values by the keys of measures.
typealias Sample = [String: Double]

/// A figure of a round.
struct Measure: Hashable, Codable {
    var key: String
    var title: String
    var unit: String
    var decimals: Int

    static let events = Measure(key: "events", title: "events/s", unit: "events a second", decimals: 0)
    static let requests = Measure(key: "requests", title: "requests/s", unit: "requests a second", decimals: 0)
    static let rows = Measure(key: "rows", title: "rows/s", unit: "rows a second", decimals: 0)
    static let cpu = Measure(
        key: "cpu",
        title: "CPU s/million",
        unit: "CPU seconds a million events",
        decimals: 2
    )
    static let cpuEach = Measure(key: "cpuEach", title: "CPU µs/request", unit: "µs of CPU a request", decimals: 1)
    static let p50 = Measure(key: "p50", title: "p50 ms", unit: "ms to the answer, median", decimals: 2)
    static let p99 = Measure(key: "p99", title: "p99 ms", unit: "ms to the answer, 99th percentile", decimals: 2)
    static let memory = Measure(key: "memory", title: "RSS MiB", unit: "MiB resident, at the highest", decimals: 0)
    static let longest = Measure(key: "longest", title: "longest queue", unit: "events", decimals: 0)
    static let growth = Measure(key: "growth", title: "growth/s", unit: "events a second", decimals: 0)
    static let stolen = Measure(
        key: "stolen",
        title: "stolen %",
        unit: "% of the processors' time, kept by the hypervisor",
        decimals: 2
    )
    static let generator = Measure(
        key: "generator",
        title: "load generator CPU µs/request",
        unit: "µs of CPU a request",
        decimals: 1
    )
}

/// What a figure is to reach.
struct Goal {
    enum Rule {
        case atMost(Double)
        case atLeast(Double)
        /// The ratio to another contender, round by round.
        case ratio(to: String, atLeast: Double)
    }

    var measure: Measure
    var contender = "forebay"
    var rule: Rule
}

/// What the command line says about all scenarios.
struct Conditions {
    var duration: Double?
    var events: Int
    /// Directory of `forebay`.
    var programs: String
    /// Directory of the contenders' configurations and programs.
    var rivals: String
}
