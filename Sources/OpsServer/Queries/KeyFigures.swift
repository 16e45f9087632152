/// The statement behind `GET /v1/kpi/…`.
struct KeyFigures {
    var sql: String
    var parameters: [String?]

    enum Period: String, CaseIterable {
        case hourly, daily

        fileprivate var column: String { self == .hourly ? "hour" : "day" }
        fileprivate var reach: String { self == .hourly ? "24 hours" : "30 days" }
    }

    /// What may be asked for, besides what any query may.
    static let names: Set<String> = ["service", "endpoint", "from", "to"]

    init(_ period: Period, _ query: [String: String]) {
        let time = period.column
        var conditions: [String] = []
        var values: [String?] = []
        func condition(_ text: String, _ value: String?) {
            guard let value else { return }
            values.append(value)
            conditions.append("\(text) $\(values.count)")
        }
        condition("\(time) >= ", query["from"])
        if conditions.isEmpty { conditions.append("\(time) >= now() - interval '\(period.reach)'") }
        condition("\(time) < ", query["to"])
        condition("service = ", query["service"])
        condition("endpoint = ", query["endpoint"])
        sql = """
            SELECT \(time), service, endpoint, requests, errors, error_rate, p50_latency_ms, p95_latency_ms, p99_latency_ms \
            FROM public.apirequests_\(period.rawValue) WHERE \(conditions.joined(separator: " AND ")) \
            ORDER BY \(time), service, endpoint
            """
        parameters = values
    }
}
