import ProvingGround

/// Follows the number of events on disk that are not in PostgreSQL yet.
struct QueueWatch: Sendable {
    let port: Int
    /// Seconds from now.
    let from: Double
    let to: Double

    /// Looks twice a second, and returns the longest queue and how fast it grew: the slope of the line that fits best.
    func run() async throws -> Sample {
        let start = ContinuousClock.now
        try await Task.sleep(for: .seconds(from))
        var points: [(second: Double, length: Double)] = []
        while true {
            let second = (ContinuousClock.now - start) / .seconds(1)
            guard second < to else { break }
            points.append((second, try length()))
            try await Task.sleep(for: .milliseconds(500))
        }
        return [
            Measure.longest.key: points.map(\.length).max() ?? 0,
            Measure.growth.key: Self.slope(points),
        ]
    }

    private func length() throws -> Double {
        guard let answer = LoopbackHTTP(port: port).get("/metrics") else { throw YardFault("/metrics does not answer") }
        let lines = answer.body.split(separator: "\n").filter { $0.hasPrefix("forebay_queued_events") }
        return lines.reduce(0) { $0 + ($1.split(separator: " ").last.flatMap { Double($0) } ?? 0) }
    }

    /// By least squares.
    static func slope(_ points: [(second: Double, length: Double)]) -> Double {
        let count = Double(points.count)
        guard count > 1 else { return 0 }
        let middle = points.reduce(0) { $0 + $1.second } / count
        let mean = points.reduce(0) { $0 + $1.length } / count
        let numerator = points.reduce(0) { $0 + ($1.second - middle) * ($1.length - mean) }
        let denominator = points.reduce(0) { $0 + ($1.second - middle) * ($1.second - middle) }
        return denominator > 0 ? numerator / denominator : 0
    }
}
