// The window against a dictionary, with random keys; and each rule by itself.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct IdempotencyWindowTests {
    private let lane = LaneKey(queue: QueueID(high: 1, low: 1), lane: LaneID(0))

    private func request(_ key: UInt64, body: UInt64 = 1) -> KeyedRequest {
        KeyedRequest(key: IdempotencyKey(high: 0, low: key), bodyDigest: body)
    }

    @Test func aKeyGoesFromNewOverInFlightToDone() {
        var window = IdempotencyWindow(maxEntries: 10, window: .seconds(60))
        #expect(window.begin(request(1), at: 0) == .new)
        #expect(window.begin(request(1), at: 0) == .inFlight)
        #expect(window.begin(request(1, body: 2), at: 0) == .reused)
        window.finish(request(1).key, last: lane.position(Offset(9)), count: 3, at: 0)
        #expect(window.begin(request(1), at: 1) == .done(last: lane.position(Offset(9)), count: 3))
        #expect(window.begin(request(1, body: 2), at: 1) == .reused)
    }

    @Test func aReleasedKeyIsNewAgainWithAnyBody() {
        var window = IdempotencyWindow(maxEntries: 10, window: .seconds(60))
        _ = window.begin(request(1), at: 0)
        window.release(request(1).key)
        #expect(window.count == 0)
        #expect(window.begin(request(1, body: 2), at: 0) == .new)
    }

    @Test func keysAreForgottenAfterTheWindow() {
        var window = IdempotencyWindow(maxEntries: 10, window: .seconds(60))
        _ = window.begin(request(1), at: 100)
        window.finish(request(1).key, last: lane.position(Offset(1)), count: 1, at: 100)
        #expect(window.begin(request(1), at: 160) != .new)
        #expect(window.begin(request(1), at: 161) == .new)
        #expect(window.forgottenEarly == 0)
    }

    @Test func tooManyKeysPushOutTheOldestAndAreCounted() {
        var window = IdempotencyWindow(maxEntries: 3, window: .seconds(60))
        for key in 1...5 as ClosedRange<UInt64> {
            _ = window.begin(request(key), at: 0)
            window.finish(request(key).key, last: lane.position(Offset(key)), count: 1, at: 0)
        }
        #expect(window.count == 3 && window.forgottenEarly == 2)
        #expect(window.begin(request(3), at: 0) != .new)
        #expect(window.begin(request(2), at: 0) == .new)
    }

    /// Requests that are refused come again and again. They must not take the places of those that were stored.
    @Test func releasedKeysPushNobodyOut() {
        var window = IdempotencyWindow(maxEntries: 3, window: .seconds(60))
        _ = window.begin(request(1), at: 0)
        window.finish(request(1).key, last: lane.position(Offset(1)), count: 1, at: 0)
        for key in 2...10_000 as ClosedRange<UInt64> {
            #expect(window.begin(request(key), at: 0) == .new)
            window.release(request(key).key)
        }
        #expect(window.begin(request(1), at: 0) == .done(last: lane.position(Offset(1)), count: 1))
        #expect(window.count == 1 && window.forgottenEarly == 0)
    }

    @Test func whatIsInFlightIsNeverForgotten() {
        var window = IdempotencyWindow(maxEntries: 2, window: .seconds(1))
        for key in 1...3000 as ClosedRange<UInt64> { #expect(window.begin(request(key), at: UInt32(key)) == .new) }
        for key in 1...3000 as ClosedRange<UInt64> { #expect(window.begin(request(key), at: 5000) == .inFlight) }
    }

    @Test func itAgreesWithADictionary() {
        var random = SplitMix(seed: 11)
        var window = IdempotencyWindow(maxEntries: 100_000, window: .seconds(1_000_000))
        var model: [UInt64: (body: UInt64, done: Offset?)] = [:]
        for step in 0..<12_000 {
            // Keys that fall into few slots make long probe chains.
            let key = UInt64(random.below(400)) << 20 | UInt64(random.below(8))
            let body = UInt64(random.below(2))
            let verdict = window.begin(request(key, body: body), at: 1)
            switch model[key] {
            case nil: #expect(verdict == .new)
            case let known? where known.body != body: #expect(verdict == .reused)
            case (_, nil)?: #expect(verdict == .inFlight)
            case (_, let done?)?: #expect(verdict == .done(last: lane.position(done), count: 1))
            }
            if verdict == .new { model[key] = (body, nil) }
            guard model[key]?.done == nil, random.below(2) == 0 else { continue }
            if random.below(3) == 0 {
                window.release(request(key).key)
                model[key] = nil
            } else {
                let offset = Offset(UInt64(step + 1))
                window.finish(request(key).key, last: lane.position(offset), count: 1, at: 1)
                model[key]?.done = offset
            }
        }
        #expect(window.count == model.count)
        #expect(model.count > 2000)
    }

    @Test func restoredKeysAreKnown() {
        var window = IdempotencyWindow(maxEntries: 10, window: .seconds(60))
        let entry = KeyEntry(request: request(5), first: Offset(10), count: 4, seconds: 100)
        window.restore(entry, of: lane)
        #expect(window.begin(request(5), at: 120) == .done(last: lane.position(Offset(13)), count: 4))
    }
}
