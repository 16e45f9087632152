// Method: tell the guard how far a lane has got, second by second, and look at what it says.

import Records
import Testing
import Topology

@Suite
struct ReplicationGuardTests {
    private let lane = LaneKey(queue: QueueID(high: 1, low: 2), lane: LaneID(0))

    private func mark(_ committed: UInt64, _ held: UInt64?) -> [ReplicationGuard.Mark] {
        [ReplicationGuard.Mark(lane: lane, committed: Offset(committed), held: held.map { Offset($0) })]
    }

    @Test
    func replicasThatFollowAreNeverBehindHoweverBusyTheLaneIs() {
        var watch = ReplicationGuard()
        for second in 1...60 {
            let committed = UInt64(second) * 1000
            let event = watch.look(
                mark(committed, committed - 500),
                isPressed: second > 30,
                hasPrimary: true,
                at: .seconds(second)
            )
            #expect(event == nil)
        }
        #expect(watch.state == .whole)
    }

    /// `retention.on_lost_replica: hold`.
    @Test
    func aLostReplicaHoldsForGoodWhereNothingMayBeGivenUp() {
        var watch = ReplicationGuard(degrades: false)
        func look(_ second: Int, held: UInt64?) -> ReplicationGuard.Event? {
            watch.look(mark(UInt64(second) * 1000, held), isPressed: true, hasPrimary: true, at: .seconds(second))
        }
        #expect(look(1, held: 1000) == nil)
        #expect(look(2, held: nil) == nil)
        #expect(look(8, held: nil) == .holds)
        for second in 9...600 { #expect(look(second, held: nil) == nil) }
        #expect(watch.state == .holding)
        #expect(!watch.yields(isPressed: true, hasPrimary: true))
        #expect(look(601, held: 601_000) == .recovers)
    }

    @Test
    func aLostReplicaHoldsAndThenDegradesAndComesBack() {
        var watch = ReplicationGuard()
        func look(_ second: Int, held: UInt64?, pressed: Bool = false, primary: Bool = true) -> ReplicationGuard.Event?
        {
            watch.look(
                mark(UInt64(second) * 1000, held),
                isPressed: pressed,
                hasPrimary: primary,
                at: .seconds(second)
            )
        }
        #expect(look(1, held: 1000) == nil)
        #expect(look(2, held: nil) == nil)
        #expect(look(6, held: nil) == nil)
        #expect(look(7, held: nil) == .holds)
        #expect(look(20, held: nil) == nil)
        #expect(!watch.yields(isPressed: false, hasPrimary: true))
        // The budget is used up while there is no primary: nothing is given up.
        #expect(look(21, held: nil, pressed: true, primary: false) == nil)
        #expect(look(22, held: nil, pressed: true) == .degrades)
        #expect(watch.yields(isPressed: true, hasPrimary: true))
        // Room again: held again, and still degraded until the replica says otherwise.
        #expect(!watch.yields(isPressed: false, hasPrimary: true))
        #expect(look(23, held: nil) == nil)
        #expect(watch.state == .degraded)
        #expect(look(24, held: 24_000) == .recovers)
        #expect(watch.state == .whole)
    }

    @Test
    func aReplicaThatStandsStillIsBehind() {
        var watch = ReplicationGuard()
        var events: [ReplicationGuard.Event] = []
        for second in 1...10 {
            let marks = mark(UInt64(second) * 1000, 1000)
            if let event = watch.look(marks, isPressed: false, hasPrimary: true, at: .seconds(second)) {
                events.append(event)
            }
        }
        #expect(events == [.holds])
    }

    @Test
    func afterAFailoverTheLowerPositionIsTheGoal() {
        var watch = ReplicationGuard()
        _ = watch.look(mark(9000, 100), isPressed: false, hasPrimary: true, at: .seconds(1))
        let event = watch.look(mark(200, 200), isPressed: false, hasPrimary: true, at: .seconds(9))
        #expect(event == nil)
    }
}
