import ProvingGround

/// Batches of a hundred, on disk before they are answered.
final class Accept: Scenario {
    static let name = "accept"
    static let title = "Accepted and durable, 100 events a request"
    static let method = """
        100 events of about 380 bytes a request, 8 connections, each sending the next request when one is answered. PostgreSQL is \
        away, so that accepting alone is measured; after the last round it comes back, and the rows are counted. rsyslog gets 50,000 \
        events as lines over as many connections. The services in Python can do nothing without PostgreSQL, and have it; their rows \
        are counted after each round.
        """
    static let measures = [Measure.events, .cpu, .p50, .p99, .memory]
    static let charts = [Measure.cpu, .events]
    static let goals = [Goal(measure: .cpu, rule: .atMost(1.2))]

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        yard = try Yard(.benchmark, programs: conditions.programs)
        let load = Load(connections: 8, batch: 100, duration: conditions.duration ?? 5)
        contenders = [
            ForebayIngest(yard, load),
            Rsyslog(conditions, yard, connections: load.connections, events: 50_000),
            PythonService(conditions, yard, .insert, load),
            PythonService(conditions, yard, .copy, load),
        ]
    }
}
