/// How long to wait before a request is sent again: doubling, with a bound, and spread so that many agents do not come back in
/// step.
package struct Backoff: Hashable, Sendable {
    package var first: Duration
    package var most: Duration

    package init(first: Duration = .milliseconds(100), most: Duration = .seconds(10)) {
        self.first = first
        self.most = most
    }

    /// - Parameters:
    ///   - attempts: how often the request has been sent without success, at least 1.
    ///   - spread: evenly drawn from 0 ..< 1; the pause is between half of the full step and all of it.
    package func pause(after attempts: Int, spread: Double) -> Duration {
        var step = first
        for _ in 1..<max(1, min(attempts, 40)) where step < most {
            step *= 2
        }
        return min(step, most) * (0.5 + spread / 2)
    }
}
