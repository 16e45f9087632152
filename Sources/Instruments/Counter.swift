import Synchronization

/// A number that only grows, counted from the start of the process. Any thread may add to it.
package final class Counter: Sendable {
    private let total = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) {
        total.wrappingAdd(amount, ordering: .relaxed)
    }

    package var value: Int { total.load(ordering: .relaxed) }
}

/// A number that goes up and down. Any thread may change it.
package final class Gauge: Sendable {
    private let level = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int) {
        level.wrappingAdd(amount, ordering: .relaxed)
    }

    package func set(_ newValue: Int) {
        level.store(newValue, ordering: .relaxed)
    }

    package var value: Int { level.load(ordering: .relaxed) }
}
