import Instruments
import Records
import Synchronization

/// The bound on what waits in memory, over all lanes. Any thread may ask.
final class PendingBytes: Sendable {
    private let limit: Int
    private let gauge: Gauge
    private let bytes = Atomic<Int>(0)

    init(limit: Int, gauge: Gauge) {
        self.limit = limit
        self.gauge = gauge
    }

    /// What a waiting request takes: the memory of its rows, and some for the objects around it.
    static func cost(of batch: RowBatch) -> Int { batch.capacity + 256 }

    /// Counts `cost` in; false if that would be too much. A request that is larger than the bound gets in when it is alone.
    func claim(_ cost: Int) -> Bool {
        let before = bytes.wrappingAdd(cost, ordering: .relaxed).oldValue
        if before > 0, before + cost > limit {
            bytes.wrappingSubtract(cost, ordering: .relaxed)
            return false
        }
        gauge.add(cost)
        return true
    }

    func release(_ cost: Int) {
        bytes.wrappingSubtract(cost, ordering: .relaxed)
        gauge.add(-cost)
    }
}
