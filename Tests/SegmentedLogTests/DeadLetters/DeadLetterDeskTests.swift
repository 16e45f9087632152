import Records
import SegmentedLog
import SimulationKit
import Synchronization
import Testing

/// Method: a desk over a store on a disk in memory and a queue that remembers keys; it is stopped between any two of its steps.
struct DeadLetterDeskTests {
    /// A queue with an idempotency window, whose rows can be counted.
    private final class Queue: LetterQueue {
        struct Content {
            var rows: [String: [UInt8]] = [:]
            var repeats = 0
            var doubts: Set<String> = []
            var room = Int.max
        }

        let content = Mutex(Content())

        func layout(of fingerprint: Fingerprint) -> RowLayout? { nil }

        func append(_ rows: RowBatch, stream: String, key: String) throws(LetterQueueFault) {
            let bytes = Array(rows.bytes)
            let isTaken = content.withLock { content in
                if content.rows[key] != nil {
                    content.repeats += 1
                    return true
                }
                guard content.rows.count < content.room else { return false }
                content.rows[key] = bytes
                return true
            }
            if !isTaken { throw LetterQueueFault("the queue is full") }
        }

        func fate(stream: String, key: String) -> KeyFate {
            content.withLock { content in
                if content.doubts.contains(key) { return .underWay }
                return content.rows[key] == nil ? .unknown : .stored
            }
        }

        var keys: [String] { content.withLock { $0.rows.keys.sorted() } }
    }

    private func position(_ offset: UInt64) -> Position { LetterFixture.lane.position(Offset(offset)) }

    @Test func retriedRowsAreInTheQueueUnderTheirPosition() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3), LetterFixture.letter(10, 4)])
        let queue = Queue()
        let report = try DeadLetterDesk(fixture.log).retry(.all, into: queue, time: 1)
        #expect(report.letters == 2 && report.events == 5 && report.left.isEmpty)
        #expect(queue.keys == ["dlq:\(position(10))", "dlq:\(position(3))"].sorted())
        #expect(queue.content.withLock { $0.rows["dlq:\(position(10))"] } == LetterFixture.letter(10, 4).bytes)
        #expect(fixture.log.summary.pending == 0)
        #expect(try DeadLetterDesk(fixture.log).retry(.all, into: queue, time: 2).letters == 0)
    }

    @Test func aCrashBeforeTheMarkDoublesNothing() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3), LetterFixture.letter(4)])
        let queue = Queue()
        fixture.disk.fail(.write)
        #expect(throws: DeadLetterLogFault.self) { try DeadLetterDesk(fixture.log).retry(.all, into: queue, time: 1) }
        let reopened = try fixture.reopened(crash: true)
        let report = try DeadLetterDesk(reopened.log).retry(.all, into: queue, time: 2)
        #expect(report.letters == 2)
        #expect(queue.keys.count == 2)
        #expect(queue.content.withLock { $0.repeats } == 2)
    }

    /// Found by simulation: the letter stayed pending although its row was in the queue, and was refused there again: two letters for one row.
    @Test func aRetryThatACrashCutShortIsFinished() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3), LetterFixture.letter(4)])
        let queue = Queue()
        queue.content.withLock { $0.room = 1 }
        fixture.disk.fail(.write)
        #expect(throws: DeadLetterLogFault.self) { try DeadLetterDesk(fixture.log).retry(.all, into: queue, time: 1) }
        let reopened = try fixture.reopened(crash: true)
        let desk = DeadLetterDesk(reopened.log)
        #expect(try desk.finishRetries(in: queue, time: 2) == 1)
        #expect(!reopened.log.isPending(1) && reopened.log.isPending(2))
        #expect(!reopened.log.mayHaveUnfinishedRetries)
        // Later on the queue has forgotten the key.
        let later = Queue()
        #expect(try desk.retry(.all, into: later, time: 3).letters == 1)
        #expect(later.keys == ["dlq:\(position(4))"])
    }

    /// The same process goes on for longer than the queue remembers keys.
    @Test func aMarkThatFailedIsMadeUpFor() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3)])
        let desk = DeadLetterDesk(fixture.log)
        fixture.disk.fail(.write)
        #expect(throws: DeadLetterLogFault.self) { try desk.retry(.all, into: Queue(), time: 1) }
        let forgetful = Queue()
        #expect(try desk.discard(.all, besides: forgetful, time: 2).left.map(\.id) == [1])
        #expect(try desk.retry(.all, into: forgetful, time: 2).letters == 1)
        #expect(forgetful.keys == [])
        #expect(fixture.log.summary.pending == 0)
    }

    @Test func aLetterWhoseRetryIsInDoubtIsNotGivenUp() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3), LetterFixture.letter(4)])
        let queue = Queue()
        queue.content.withLock { $0.doubts = ["dlq:\(position(3))"] }
        let report = try DeadLetterDesk(fixture.log).discard(.all, besides: queue, time: 1)
        #expect(report.letters == 1)
        #expect(report.left.map(\.id) == [1])
    }

    /// What could not be recorded may be there at the next start: until that is settled nothing is retried or given up.
    @Test func nothingIsDoneWhileAVerdictIsInDoubt() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([LetterFixture.letter(3)])
        let desk = DeadLetterDesk(fixture.log)
        let queue = Queue()
        fixture.disk.fail(.sync)
        fixture.disk.fail(.open, 2)
        #expect(throws: DeadLetterLogFault.self) { try fixture.log.judge([1], .discarded, time: 1) }
        #expect(throws: DeadLetterLogFault.self) { try desk.retry(.all, into: queue, time: 2) }
        #expect(queue.keys == [])
        #expect(try desk.retry(.all, into: queue, time: 3).letters == 1)
    }

    @Test func whatTheQueueDoesNotTakeStaysPending() throws {
        let fixture = try LetterFixture()
        try fixture.log.record((1...3).map { LetterFixture.letter($0) })
        let queue = Queue()
        queue.content.withLock { $0.room = 1 }
        let report = try DeadLetterDesk(fixture.log).retry(.all, into: queue, time: 1)
        #expect(report.letters == 1)
        #expect(report.left.map(\.id) == [2, 3])
        #expect(report.left.first?.reason == "the queue is full")
        #expect(fixture.log.summary.pending == 2)
    }

    @Test func aChoiceNarrows() throws {
        let fixture = try LetterFixture()
        try fixture.log.record([
            LetterFixture.letter(1), LetterFixture.letter(2, stream: "orders"), LetterFixture.letter(10, 5),
        ])
        let desk = DeadLetterDesk(fixture.log)
        #expect(try desk.discard(.stream("orders"), besides: Queue(), time: 1).letters == 1)
        #expect(try desk.discard(.positions([position(12), position(99)]), besides: Queue(), time: 1).events == 5)
        #expect(try desk.discard(.ids([2, 77]), besides: Queue(), time: 1).letters == 0)
        #expect(try desk.discard(.all, besides: Queue(), time: 1).letters == 1)
    }

    @Test func unreadablePositionsHaveNothingToRetry() throws {
        let fixture = try LetterFixture()
        var lost = LetterFixture.letter(5, 100, bytes: 0)
        lost.kind = .unreadable
        try fixture.log.record([lost])
        let desk = DeadLetterDesk(fixture.log)
        let report = try desk.retry(.all, into: Queue(), time: 1)
        #expect(report.letters == 0 && report.leftCount == 1)
        #expect(try desk.discard(.all, besides: Queue(), time: 1).events == 100)
    }
}
