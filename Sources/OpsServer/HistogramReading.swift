package import Instruments

/// A histogram as status carries it: the buckets, and what a person wants to know of them.
package struct HistogramReading: Hashable, Sendable {
    package var snapshot: Histogram.Snapshot

    package init(_ snapshot: Histogram.Snapshot = Histogram.Snapshot()) {
        self.snapshot = snapshot
    }
}

extension HistogramReading: Codable {
    private enum Key: String, CodingKey {
        case count, sum, p50, p99, p999, buckets
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(snapshot.count, forKey: .count)
        try container.encode(snapshot.sum, forKey: .sum)
        try container.encode(snapshot.quantile(0.5).map { Int($0) }, forKey: .p50)
        try container.encode(snapshot.quantile(0.99).map { Int($0) }, forKey: .p99)
        try container.encode(snapshot.quantile(0.999).map { Int($0) }, forKey: .p999)
        // Bucket i counts the values below 2^i; the empty ones at the end are left out.
        let used = (snapshot.counts.lastIndex { $0 != 0 } ?? -1) + 1
        try container.encode(Array(snapshot.counts.prefix(used)), forKey: .buckets)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        var snapshot = Histogram.Snapshot()
        let buckets = try container.decode([Int].self, forKey: .buckets)
        for (index, count) in buckets.enumerated() where index < snapshot.counts.count {
            snapshot.counts[index] = count
        }
        snapshot.sum = try container.decode(Int.self, forKey: .sum)
        self.init(snapshot)
    }
}
