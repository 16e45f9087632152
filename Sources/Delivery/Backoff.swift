/// Pauses between attempts: doubling, with jitter, bounded at both ends.
struct Backoff: Equatable {
    private let first: Duration
    private let longest: Duration
    private(set) var attempts = 0

    init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The pause before the next attempt: between half of the doubled pause and all of it.
    ///
    /// - Parameter random: uniform over all values; spreads the lanes that failed together.
    mutating func pause(random: UInt64) -> Duration {
        // Past 2^30 any sensible first pause has reached the longest; the bound keeps the shift defined.
        let full = min(longest, first * (1 << min(attempts, 30)))
        attempts += 1
        let share = Double(random >> 11) / Double(1 << 53)
        return full / 2 + full * (share / 2)
    }

    mutating func reset() {
        attempts = 0
    }
}
