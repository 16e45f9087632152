import Foundation

/// What a drill came to, by the journals of its agents and by the rows in PostgreSQL.
struct DrillReport: Codable {
    /// Events.
    var sent: Int
    var acknowledged: Int
    /// In PostgreSQL, each counted once.
    var arrived: Int
    /// Acknowledged and not there.
    var lost: Int
    /// There more than once, of agents that sent with keys.
    var doubled: Int
    /// There more than once, of agents that sent without keys, which is allowed.
    var doubledWithoutKeys: Int
    /// There, and never sent.
    var unexpected: Int
    /// Of lost, doubled and unexpected ones.
    var examples: [String]
    /// The longest time in which no agent got an acknowledgement.
    var longestGapMilliseconds: Int
    /// From the return of each `pg_ctl promote` to the first commit on the promoted node.
    var takeoversMilliseconds: [Int] = []

    var passes: Bool { lost == 0 && doubled == 0 && unexpected == 0 }

    /// - Parameters:
    ///   - verdict: the JSON that `drill-agents count` prints.
    ///   - gap: from the agents' own summaries.
    init(verdict: Data, longestGapMilliseconds gap: Int) throws {
        struct Verdict: Decodable {
            var sent: Int
            var acknowledged: Int
            var arrived: Int
            var lost: Int
            var lostExamples: [String]
            var doubled: Int
            var doubledExamples: [String]
            var doubledWithoutKeys: Int
            var unexpected: Int
            var unexpectedExamples: [String]
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let counted = try decoder.decode(Verdict.self, from: verdict)
        sent = counted.sent
        acknowledged = counted.acknowledged
        arrived = counted.arrived
        lost = counted.lost
        doubled = counted.doubled
        doubledWithoutKeys = counted.doubledWithoutKeys
        unexpected = counted.unexpected
        examples = counted.lostExamples + counted.doubledExamples + counted.unexpectedExamples
        longestGapMilliseconds = gap
    }

    /// Of a drill that sends by itself, and knows that each row is there once.
    init(sent: Int, arrived: Int) {
        self.sent = sent
        acknowledged = sent
        self.arrived = arrived
        lost = sent - arrived
        doubled = 0
        doubledWithoutKeys = 0
        unexpected = 0
        examples = []
        longestGapMilliseconds = 0
    }
}

extension DrillReport: CustomStringConvertible {
    var description: String {
        var text =
            "sent \(sent), acknowledged \(acknowledged), in PostgreSQL \(arrived), lost \(lost), doubled \(doubled)"
            + "; longest gap in acknowledgements \(longestGapMilliseconds) ms"
        if doubledWithoutKeys > 0 { text += "; doubled without keys, which is allowed: \(doubledWithoutKeys)" }
        if unexpected > 0 { text += "; never sent and there: \(unexpected)" }
        if !examples.isEmpty { text += "; such as \(examples.joined(separator: " "))" }
        if !takeoversMilliseconds.isEmpty {
            text += "; promotion to first commit: \(summary(of: takeoversMilliseconds.map { .milliseconds($0) }))"
        }
        return text
    }
}

/// Median, minimum and maximum in milliseconds.
func summary(of durations: [Duration]) -> String {
    let sorted = durations.map { Int($0 / .milliseconds(1)) }.sorted()
    guard let first = sorted.first, let last = sorted.last else { return "none" }
    return "median \(sorted[sorted.count / 2]) ms, \(first) to \(last) ms, of \(sorted.count)"
}
