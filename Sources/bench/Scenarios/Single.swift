import ProvingGround

/// One event a request.
final class Single: Scenario {
    static let name = "single"
    static let title = "One event a request"
    static let method = """
        One event of about 380 bytes a request, 64 connections, each sending the next request when one is answered. PostgreSQL is \
        away. The load generator shares the two processors with whom it measures, and takes as much for each contender. \
        It keeps to one of them, so that a single worker of nginx has the other for itself: the best that can be had here, and no \
        way to set up nginx that knows nothing of the generator.
        """
    static let measures = [Measure.requests, .cpuEach, .p50, .p99, .generator]
    static let charts = [Measure.requests]
    static let goals = [Goal(measure: .requests, rule: .ratio(to: "nginx", atLeast: 0.7))]

    let contenders: [any Contender]
    let yard: Yard

    init(_ conditions: Conditions) async throws {
        yard = try Yard(.benchmark, programs: conditions.programs)
        let load = Load(connections: 64, batch: 1, duration: conditions.duration ?? 5)
        contenders = [
            ForebayIngest(yard, load),
            NginxDiscard(conditions, directory: yard.directory, load),
            NginxDiscard(conditions, directory: yard.directory, load, name: "nginx with one worker", workers: 1),
        ]
    }
}
