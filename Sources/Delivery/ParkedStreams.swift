import Records

/// Which streams' rows go aside, until when, and which are being tried again.
struct ParkedStreams: Equatable {
    private struct Entry: Equatable {
        var until: Duration
        var reason: DeadLetter.Reason
    }

    private let period: Duration
    private var entries: [String: Entry] = [:]

    init(period: Duration) {
        self.period = period
    }

    /// The streams whose rows go aside without an attempt at `now`, with the reason of the refusal.
    func aside(at now: Duration) -> [String: DeadLetter.Reason] {
        entries.filter { now < $0.value.until }.mapValues(\.reason)
    }

    /// The server refused the stream as a whole. Returns whether it was not parked before.
    mutating func park(_ stream: String, reason: DeadLetter.Reason, now: Duration) -> Bool {
        entries.updateValue(Entry(until: now + period, reason: reason), forKey: stream) == nil
    }

    /// Every parked stream is tried with the next flush that has rows of it; if it is refused again it is parked again.
    mutating func tryAgain(now: Duration) {
        for stream in entries.keys { entries[stream]?.until = now }
    }

    /// Rows of these streams have landed. Returns those that were parked until now.
    mutating func landed(_ streams: [String]) -> [String] {
        guard !entries.isEmpty else { return [] }
        return streams.filter { entries.removeValue(forKey: $0) != nil }
    }
}
