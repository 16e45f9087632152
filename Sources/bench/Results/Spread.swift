/// The median of some values with the smallest and the largest.
struct Spread: Hashable {
    var median: Double
    var minimum: Double
    var maximum: Double

    /// The lower one of two middles. Nil without values.
    init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        median = sorted[(sorted.count - 1) / 2]
        minimum = sorted[0]
        maximum = sorted[sorted.count - 1]
    }
}
