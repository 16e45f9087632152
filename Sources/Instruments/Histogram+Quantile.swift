extension Histogram.Snapshot {
    package init() {
        self.init(counts: Array(repeating: 0, count: Histogram.bucketCount), sum: 0)
    }

    /// The value that the given part of all values is below, in the caller's unit; nil if nothing was recorded.
    ///
    /// Interpolated within its bucket, so it is off by less than the factor of two that a bucket spans.
    ///
    /// - Parameter part: 0 to 1, as 0.99.
    package func quantile(_ part: Double) -> Double? {
        let total = count
        guard total > 0 else { return nil }
        let wanted = min(max(part, 0), 1) * Double(total)
        var below = 0
        for (index, count) in counts.enumerated() where count > 0 {
            if Double(below + count) >= wanted {
                let lower = index == 0 ? 0 : Double(1 << (index - 1))
                let upper = index == 0 ? 0 : Double(1 << index)
                return lower + (upper - lower) * max(0, wanted - Double(below)) / Double(count)
            }
            below += count
        }
        return nil
    }
}
