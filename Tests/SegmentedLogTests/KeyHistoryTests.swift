// Which keys a start finds.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct KeyHistoryTests {
    /// Found by simulation: a group failed on a lane that could begin no new segment, its segment's sidecar was written without the group's keys, and a
    /// crash brought the group back. The start after the next believed the sidecar, and a repeat was stored again.
    @Test func aSidecarFromBeforeACrashBroughtRowsBackIsMadeAgain() throws {
        var revivals = 0
        for seed in UInt64(1)...40 {
            let lane = try LaneFixture(seed: seed)
            lane.append([AppendRequest(.stamped(1, rows: 1), key: 1)])
            lane.disk.failures.syncs = 1000
            #expect(lane.append([AppendRequest(.stamped(2, rows: 1), key: 2)]).isInDoubt)
            lane.disk.failures.syncs = 0
            _ = try KeyHistory(context: lane.context, catalogue: lane.catalogue).writeSidecars()
            try lane.powerCut()
            guard lane.catalogue.end == Offset(2) else { continue }
            revivals += 1
            lane.append([AppendRequest(.stamped(3, rows: 1), key: 3)])
            try lane.reopen()
            let keys = try KeyHistory(context: lane.context, catalogue: lane.catalogue).load(notBefore: 0, limit: .max)
            #expect(Set(keys.map(\.request.bodyDigest)) == [1, 2, 3], "seed \(seed)")
        }
        #expect(revivals > 0)
    }
}
