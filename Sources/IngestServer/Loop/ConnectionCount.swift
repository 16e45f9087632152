import Synchronization

/// How many connections there are, and the number of the next one. Any loop may call it.
final class ConnectionCount: Sendable {
    private let limit: Int
    private let current = Atomic<Int>(0)
    private let started = Atomic<UInt64>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Counts a connection in and returns its number; nil, and nothing counted, if there are too many.
    func enter() -> UInt64? {
        if current.wrappingAdd(1, ordering: .relaxed).newValue > limit {
            current.wrappingSubtract(1, ordering: .relaxed)
            return nil
        }
        return started.wrappingAdd(1, ordering: .relaxed).oldValue
    }

    func leave() {
        current.wrappingSubtract(1, ordering: .relaxed)
    }
}
