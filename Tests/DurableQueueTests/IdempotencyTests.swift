// Keys over threads and restarts: a repeat gets the first receipt, in flight or years later, or a refusal if its body differs.
import DurableQueue
import Instruments
import Records
import SegmentedLog
import Testing

@Suite struct IdempotencyTests {
    @Test func aRepeatGetsTheOriginalReceiptAlsoAfterARestart() throws {
        let fixture = QueueFixture()
        var queue = try fixture.open()
        let lane = LaneKey(queue: queue.id, lane: LaneID(0))
        let receipt = lane.position(Offset(2))
        #expect(fixture.append(["a", "b"], to: queue, key: 7) == .durable(last: receipt, count: 2, repeated: false))
        let repeated = AppendOutcome.durable(last: receipt, count: 2, repeated: true)
        #expect(fixture.append(["a", "b"], to: queue, key: 7) == repeated)
        #expect(fixture.append(["x"], to: queue, key: 7, body: 2) == .keyReused)
        queue.close()

        queue = try fixture.open()
        #expect(fixture.append(["a", "b"], to: queue, key: 7) == repeated)
        #expect(fixture.append(["x"], to: queue, key: 7, body: 2) == .keyReused)
        #expect(try fixture.readAll(queue, lane) == ["a", "b"])
        #expect(queue.metrics.repeatedRequests.value == 1)
        queue.close()
    }

    @Test func repeatsInFlightShareOneOutcome() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let sink = WaitingSink()
        let request = KeyedRequest(key: IdempotencyKey(high: 1, low: 1), bodyDigest: 1)
        for token in 1...200 as ClosedRange<UInt64> {
            queue.append(.texts(["once"]), lane: LaneID(0), keyed: request, sink: sink, token: token)
        }
        sink.await(200)
        #expect(sink.tokensToldTwice == 0)
        #expect(try fixture.readAll(queue, queue.lanes.active[0]) == ["once"])
        let originals = sink.all.filter { if case .durable(_, _, false) = $0 { true } else { false } }
        #expect(originals.count == 1)
        queue.close()
    }

    @Test func keysOfTrimmedSegmentsAreRemembered() throws {
        let fixture = QueueFixture { $0.segmentBytes = 64 << 10 }
        var queue = try fixture.open()
        let lane = queue.lanes.active[0]
        var first: AppendOutcome?
        for number in 0..<40 {
            let outcome = fixture.append([noise(8000, seed: number)], to: queue, key: UInt64(number))
            if number == 0 { first = outcome }
        }
        let progress = try #require(queue.progress(of: lane))
        queue.setCommitted(progress.durable, of: lane)
        queue.setReplicated(progress.durable, of: lane)
        eventually { (queue.progress(of: lane)?.trimmed ?? .none) > Offset(1) }
        queue.close()
        queue = try fixture.open()
        let again = fixture.append([noise(8000, seed: 0)], to: queue, key: 0)
        guard case .durable(let last, _, false)? = first else { return #expect(Bool(false)) }
        #expect(again == .durable(last: last, count: 1, repeated: true))
        queue.close()
    }

    @Test func aMissingSidecarIsMadeAgain() throws {
        let fixture = QueueFixture { $0.segmentBytes = 64 << 10 }
        var queue = try fixture.open()
        let lane = queue.lanes.active[0]
        for number in 0..<40 { _ = fixture.append([noise(8000, seed: number)], to: queue, key: UInt64(number)) }
        queue.close()
        let directory = queue.directory.lane(lane)
        let fileSystem = POSIXFileSystem()
        for name in try fileSystem.list(directory) where name.hasSuffix(".keys") {
            try fileSystem.remove("\(directory)/\(name)")
        }
        queue = try fixture.open()
        #expect(queue.status().knownKeys == 40)
        queue.close()
    }
}

/// Text that does not compress.
func noise(_ count: Int, seed: Int) -> String {
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    var text = ""
    text.reserveCapacity(count)
    for _ in 0..<count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text.unicodeScalars.append(Unicode.Scalar(UInt8(33 + (state >> 33) % 90)))
    }
    return text
}
