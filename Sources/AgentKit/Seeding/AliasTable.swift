/// Draws an index in proportion to a list of weights, in constant time (Walker's alias method, in Vose's form).
package struct AliasTable: Sendable {
    private var threshold: [Double]
    private var alias: [Int]

    /// - Parameter weights: at least one, none negative, their sum above 0.
    package init(weights: [Double]) {
        let total = weights.reduce(0, +)
        precondition(total > 0, "an alias table needs a weight above zero")
        var scaled = weights.map { $0 * Double(weights.count) / total }
        threshold = Array(repeating: 1, count: weights.count)
        alias = Array(weights.indices)
        var small = scaled.indices.filter { scaled[$0] < 1 }
        var large = scaled.indices.filter { scaled[$0] >= 1 }
        while let low = small.popLast(), let high = large.last {
            threshold[low] = scaled[low]
            alias[low] = high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1 {
                large.removeLast()
                small.append(high)
            }
        }
    }

    package func draw(_ random: inout SeededRandom) -> Int {
        let index = random.below(threshold.count)
        return random.unit() < threshold[index] ? index : alias[index]
    }
}
