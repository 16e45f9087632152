import ProvingGround

/// Many small requests, far from any limit.
final class Trickle: Scenario {
    static let name = "trickle"
    static let title = "10,000 requests of one event a second"
    static let method = """
        Requests of one event start at fixed times, 10,000 a second in all, on 64 connections. Latency counts from the time at which \
        a request was meant to start, to the answer after the sync; once with PostgreSQL away, once while everything is delivered.
        """
    static let measures = [Measure.p50, .p99, .cpuEach, .memory]
    static let charts = [Measure.p50, .p99]
    static let goals = [
        Goal(measure: .p50, rule: .atMost(1)),
        Goal(measure: .p99, rule: .atMost(5)),
        Goal(measure: .p50, contender: "forebay delivering", rule: .atMost(1)),
        Goal(measure: .p99, contender: "forebay delivering", rule: .atMost(5)),
    ]

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        yard = try Yard(.benchmark, programs: conditions.programs)
        let load = Load(
            rate: 10_000,
            connections: 64,
            batch: 1,
            duration: conditions.duration ?? 10,
            currentTimes: true
        )
        contenders = [ForebayIngest(yard, load), ForebayDelivering(yard, load, name: "forebay delivering")]
    }
}
