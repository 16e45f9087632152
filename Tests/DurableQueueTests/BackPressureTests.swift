// Bounds: memory, budget. What is refused is not stored, what was acknowledged stays, and room is used again by itself.
import DurableQueue
import Instruments
import Records
import SegmentedLog
import Testing

@Suite struct BackPressureTests {
    @Test func aFullBudgetRefusesAndAcceptsAgainOnceTrimmed() throws {
        let fixture = QueueFixture { $0.maxBytes = 8 << 20 }
        let queue = try fixture.open()
        let lane = queue.lanes.active[0]
        var stored = 0
        while true {
            let outcome = fixture.append([noise(60_000, seed: stored)], to: queue)
            guard case .durable = outcome else {
                #expect(outcome == .full)
                break
            }
            stored += 1
        }
        #expect(stored > 50)
        #expect(queue.status().usedBytes <= 8 << 20)
        #expect(fixture.append(["small"], to: queue) == .full)
        #expect(!queue.isAccepting)
        #expect(try fixture.readAll(queue, lane).count == stored, "reading goes on")

        let durable = try #require(queue.progress(of: lane)).durable
        queue.setCommitted(durable, of: lane)
        queue.setReplicated(durable, of: lane)
        eventually { queue.isAccepting }
        guard case .durable(let last, 1, false) = fixture.append(["again"], to: queue) else {
            return #expect(Bool(false))
        }
        #expect(last.offset == Offset(UInt64(stored + 1)))
        queue.close()
    }

    @Test func moreThanMayWaitInMemoryIsRefused() throws {
        let fixture = QueueFixture { $0.maxPendingBytes = 1 << 20 }
        let queue = try fixture.open()
        let (gate, sink) = (GateSink(), WaitingSink())
        // The lane's thread stands in the gate, so that nothing that comes after it is taken.
        queue.append(.texts(["first"]), lane: LaneID(0), keyed: nil, sink: gate, token: 0)
        gate.reached.wait()
        let batch = RowBatch.texts([noise(50_000, seed: 1)])
        let fitting = ((1 << 20) - 4096 - 256) / (batch.capacity + 256)
        for token in 0..<40 as Range<UInt64> {
            queue.append(batch, lane: LaneID(0), keyed: nil, sink: sink, token: token)
        }
        #expect(sink.all == [AppendOutcome](repeating: .overloaded, count: 40 - fitting))
        gate.opened.signal()
        sink.await(40)
        #expect(sink.all.filter { $0 != .overloaded }.count == fitting)
        #expect(try fixture.readAll(queue, queue.lanes.active[0]).count == 1 + fitting)
        eventually { queue.metrics.pendingBytes.value == 0 }
        queue.close()
    }

    @Test func anEmptyRequestIsDurableAtOnceAndAfterTheEndEverythingIsRefused() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        _ = fixture.append(["a"], to: queue)
        let lane = queue.lanes.active[0]
        #expect(fixture.append([], to: queue) == .durable(last: lane.position(Offset(1)), count: 0, repeated: false))
        queue.close()
        queue.close()
        #expect(fixture.append(["b"], to: queue) == .closing)
        #expect(fixture.append(["b"], to: queue, key: 1) == .closing)
    }
}

/// Holds the lane's thread in its first report until it is opened.
private final class GateSink: AppendSink {
    let reached = Semaphore()
    let opened = Semaphore()

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        reached.signal()
        opened.wait()
    }
}
