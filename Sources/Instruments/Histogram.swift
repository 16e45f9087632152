import Synchronization

/// Counts of values in buckets that double in width: bucket `i` holds values below `2^i`, in the caller's unit.
///
/// Recording is two relaxed atomic additions and never allocates; any thread may record.
package final class Histogram: Sendable {
    /// Buckets for values below 2^0, 2^1, … 2^39; larger ones are counted in the last.
    package static let bucketCount = 40

    private let buckets: [Bucket]
    private let total = Atomic<Int>(0)

    private final class Bucket: Sendable {
        let count = Atomic<Int>(0)
    }

    package init() {
        buckets = (0..<Self.bucketCount).map { _ in Bucket() }
    }

    package func record(_ value: Int) {
        let magnitude = max(0, value)
        let index = Int.bitWidth - magnitude.leadingZeroBitCount
        buckets[min(index, Self.bucketCount - 1)].count.wrappingAdd(1, ordering: .relaxed)
        total.wrappingAdd(magnitude, ordering: .relaxed)
    }

    package struct Snapshot: Hashable, Sendable {
        /// `counts[i]` values were below `2^i` and not below `2^(i-1)`.
        package var counts: [Int]
        /// The sum of all values, in the caller's unit.
        package var sum: Int

        package var count: Int { counts.reduce(0, +) }
    }

    package var snapshot: Snapshot {
        Snapshot(
            counts: buckets.map { $0.count.load(ordering: .relaxed) },
            sum: total.load(ordering: .relaxed)
        )
    }
}
