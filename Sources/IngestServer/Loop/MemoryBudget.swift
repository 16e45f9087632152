import Instruments
import Synchronization

/// The bytes that all connections together may hold. Any loop may call it.
///
/// Whoever gets nothing waits in line, and is served in order: while somebody waits, nobody else takes. A grant is made
/// by whoever gives bytes back, so it can't be overtaken on its way to the waiter's loop.
final class MemoryBudget: Sendable {
    private struct Waiter: Sendable {
        var id: UInt64
        var amount: Int
        var grant: @Sendable (Int) -> Void
    }

    private struct Line: Sendable {
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }

    let capacity: Int
    private let gauge: Gauge
    private let used = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)
    private let line = Mutex(Line())

    init(capacity: Int, gauge: Gauge) {
        self.capacity = capacity
        self.gauge = gauge
    }

    var bytesInUse: Int { used.load(ordering: .relaxed) }

    /// More is held than there should be: what had come already was not refused.
    var isExceeded: Bool { bytesInUse > capacity }

    /// Takes `amount` if that much is free and nobody waits.
    func take(_ amount: Int) -> Bool {
        guard waiting.load(ordering: .sequentiallyConsistent) == 0 else { return false }
        return takeIfFree(amount)
    }

    /// Takes what is in memory already, be it free or not.
    func force(_ amount: Int) {
        used.wrappingAdd(amount, ordering: .sequentiallyConsistent)
        gauge.add(amount)
    }

    /// Gets in line for `amount` after `take` failed, and returns what cancels that.
    ///
    /// - Parameter grant: called once, on the thread of whoever gave bytes back (it may be this one, before this
    ///   returns), with the amount that was taken on the waiter's behalf.
    func wait(_ amount: Int, grant: @escaping @Sendable (Int) -> Void) -> UInt64 {
        let id = line.withLock { line in
            line.nextID += 1
            line.waiters.append(Waiter(id: line.nextID, amount: amount, grant: grant))
            return line.nextID
        }
        waiting.wrappingAdd(1, ordering: .sequentiallyConsistent)
        serveLine()
        return id
    }

    /// Leaves the line; false if the waiter was served already, and its grant is on its way.
    func cancel(_ id: UInt64) -> Bool {
        let found = line.withLock { line in
            guard let index = line.waiters.firstIndex(where: { $0.id == id }) else { return false }
            line.waiters.remove(at: index)
            return true
        }
        if found {
            waiting.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            serveLine()
        }
        return found
    }

    func release(_ amount: Int) {
        used.wrappingSubtract(amount, ordering: .sequentiallyConsistent)
        gauge.add(-amount)
        if waiting.load(ordering: .sequentiallyConsistent) > 0 {
            serveLine()
        }
    }

    /// An amount beyond the whole capacity is let through alone, so that it can't wait for ever.
    private func takeIfFree(_ amount: Int) -> Bool {
        var current = used.load(ordering: .sequentiallyConsistent)
        while current + amount <= capacity || current == 0 {
            let (done, found) = used.compareExchange(
                expected: current,
                desired: current + amount,
                ordering: .sequentiallyConsistent
            )
            if done {
                gauge.add(amount)
                return true
            }
            current = found
        }
        return false
    }

    private func serveLine() {
        while true {
            let served = line.withLock { line -> Waiter? in
                guard let first = line.waiters.first, takeIfFree(first.amount) else { return nil }
                return line.waiters.removeFirst()
            }
            guard let served else { return }
            waiting.wrappingSubtract(1, ordering: .sequentiallyConsistent)
            served.grant(served.amount)
        }
    }
}
