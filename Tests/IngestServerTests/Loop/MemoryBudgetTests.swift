import Instruments
import Synchronization
import Testing

@testable import IngestServer

/// The budget of memory: what is taken, forced, waited for and given back, in order.
@Suite struct MemoryBudgetTests {
    private final class Grants: Sendable {
        let list = Mutex<[Int]>([])
        var all: [Int] { list.withLock { $0 } }
        func note(_ number: Int) -> @Sendable (Int) -> Void { { _ in self.list.withLock { $0.append(number) } } }
    }

    private let gauge = Gauge()
    private let grants = Grants()
    private let budget: MemoryBudget

    init() {
        budget = MemoryBudget(capacity: 100, gauge: gauge)
    }

    @Test func theWholeIsTakenAndNoMore() {
        #expect(budget.take(60))
        #expect(budget.take(40))
        #expect(!budget.take(1))
        #expect(budget.take(0))
        budget.release(40)
        #expect(budget.take(40))
        #expect(gauge.value == 100)
    }

    @Test func whoWaitsIsServedInTurnAndNobodyPassesBy() {
        #expect(budget.take(100))
        _ = budget.wait(80, grant: grants.note(1))
        _ = budget.wait(10, grant: grants.note(2))
        budget.release(50)
        #expect(grants.all == [])
        #expect(!budget.take(1))
        budget.release(30)
        #expect(grants.all == [1])
        budget.release(20)
        #expect(grants.all == [1, 2])
        #expect(budget.take(10))
        #expect(budget.bytesInUse == 100)
    }

    @Test func whoLeavesTheLineLetsTheNextOneIn() {
        #expect(budget.take(50))
        let first = budget.wait(80, grant: grants.note(1))
        _ = budget.wait(50, grant: grants.note(2))
        #expect(budget.cancel(first))
        #expect(!budget.cancel(first))
        #expect(grants.all == [2])
    }

    @Test func aGrantMayComeAtOnce() {
        _ = budget.wait(10, grant: grants.note(1))
        #expect(grants.all == [1])
        #expect(budget.bytesInUse == 10)
    }

    @Test func moreThanTheWholeIsLetThroughAlone() {
        #expect(budget.take(1))
        #expect(!budget.take(200))
        _ = budget.wait(200, grant: grants.note(1))
        budget.release(1)
        #expect(grants.all == [1])
        #expect(budget.isExceeded)
        #expect(!budget.take(1))
        budget.release(200)
        #expect(budget.bytesInUse == 0)
    }

    @Test func whatIsForcedHasToBeWaitedOut() {
        budget.force(150)
        #expect(budget.isExceeded)
        _ = budget.wait(0, grant: grants.note(1))
        budget.release(40)
        #expect(grants.all == [])
        budget.release(10)
        #expect(grants.all == [1])
    }

    @Test func manyThreadsLoseNothing() async {
        await withTaskGroup(of: Void.self) { group in
            for number in 1...8 {
                group.addTask { [budget] in
                    for _ in 0..<2000 {
                        if !budget.take(number * 10) {
                            await withCheckedContinuation { continuation in
                                _ = budget.wait(number * 10) { _ in continuation.resume() }
                            }
                        }
                        budget.release(number * 10)
                    }
                }
            }
        }
        #expect(budget.bytesInUse == 0)
        #expect(budget.take(100))
    }
}
