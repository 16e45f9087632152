// What becomes of requests that bring a key: the first goes through, the same one waits for it or gets its answer, another body is refused.
import Records
import SegmentedLog
import Testing

@Suite struct KeyAdmissionTests {
    private let lane = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(1))
    private let request = KeyedRequest(key: IdempotencyKey(high: 5, low: 6), bodyDigest: 7)
    private var admission = KeyAdmission<Int>(IdempotencyWindow(maxEntries: 10, window: .seconds(60)))

    private mutating func begin(_ waiter: Int = 0) -> String {
        switch admission.begin(request, waiter, at: 100) {
        case .proceed: "proceed"
        case .attached: "attached"
        case .answered(.durable(_, _, let repeated)): repeated ? "repeated" : "durable"
        case .answered(.failed(let reason)): reason
        case .answered: "otherwise"
        }
    }

    @Test mutating func theSameRequestWaitsAndIsARepeatAfterwards() {
        #expect(begin() == "proceed")
        #expect(begin(8) == "attached")
        let settled = admission.settle(
            request,
            .durable(last: lane.position(Offset(3)), count: 3, repeated: false),
            at: 100
        )
        #expect(settled.waiters == [8])
        #expect(settled.answer == .durable(last: lane.position(Offset(3)), count: 3, repeated: true))
        #expect(begin() == "repeated")
    }

    @Test mutating func aFailedRequestMayComeAgain() {
        #expect(begin() == "proceed")
        #expect(admission.settle(request, .failed(reason: "broken"), at: 100).waiters.isEmpty)
        #expect(begin() == "proceed")
    }

    /// Found by simulation: a group failed on a lane that could begin no new segment, its request was sent again and stored by another lane, and a crash
    /// brought the first back.
    @Test mutating func aRequestInDoubtIsNotTakenElsewhere() {
        #expect(begin() == "proceed")
        #expect(begin(8) == "attached")
        let settled = admission.settle(request, .failed(reason: "broken"), inDoubtOf: lane, at: 100)
        #expect(settled.waiters == [8])
        #expect(begin() == "broken")
        #expect(admission.window.fate(of: request.key) == .underWay)
        admission.endDoubts(of: LaneKey(queue: lane.queue, lane: LaneID(0)))
        #expect(begin() == "broken")
        admission.endDoubts(of: lane)
        #expect(begin() == "proceed")
    }
}
