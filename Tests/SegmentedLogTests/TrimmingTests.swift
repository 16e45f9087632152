// Segments that go while calls fail and the power does.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct TrimmingTests {
    /// A lane of several small segments.
    private func lane() throws -> LaneFixture {
        let lane = try LaneFixture(segmentBytes: 2 << 10)
        for request in 1...20 { lane.append(request, rows: 3, padding: 60) }
        #expect(lane.catalogue.segments.count > 4)
        return lane
    }

    private func trim(_ lane: LaneFixture, to offset: Offset, keepsLast: Bool = true) throws(LogFault) {
        _ = try LaneMaintenance(context: lane.context, catalogue: lane.catalogue).trim(
            Retention(minAge: .zero, minBytes: 0),
            replicated: offset,
            keepsLast: keepsLast,
            isPressed: true,
            at: lane.now
        )
    }

    /// Found by simulation: a segment that could not be removed was forgotten, the ones behind it went, and a restart found a gap.
    @Test(arguments: [DiskCall.remove, .rename, .syncDirectory], [false, true])
    func aTrimThatFailsLeavesNoGap(call: DiskCall, hasSpare: Bool) throws {
        let lane = try lane()
        if hasSpare { _ = try LaneMaintenance(context: lane.context, catalogue: lane.catalogue).prepareSpare() }
        let end = lane.catalogue.end
        lane.disk.fail(call)
        var hasFailed = false
        do { try trim(lane, to: end) } catch { hasFailed = true }
        // A crash may bring the segment back: nothing that is kept about its rows may be forgotten.
        #expect((lane.catalogue.gone.advanced(by: 1) < lane.catalogue.first) == hasFailed)
        lane.disk.fail(call, 0)
        try trim(lane, to: end)
        #expect(lane.catalogue.gone.advanced(by: 1) == lane.catalogue.first)
        #expect(lane.catalogue.segments.count == 1)
        try lane.powerCut()
        #expect(lane.catalogue.segments.count == 1)
        #expect(lane.catalogue.end == end)
        #expect(try lane.readAll(after: Offset(lane.catalogue.first.rawValue - 1)).lost.isEmpty)
    }

    /// Found by simulation: the last segment of a drained lane took with it where the offsets end, and the lane, taken into use again, began at 1.
    @Test func aDrainedLaneGoesOnWhereItEnded() throws {
        let lane = try lane()
        let end = lane.catalogue.end
        try trim(lane, to: end, keepsLast: false)
        let maintenance = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        try maintenance.write(LaneHints(durable: end, marks: DeliveryMarks(committed: end, replicated: end)))
        try maintenance.removeRest(keepsEnd: true)
        #expect(lane.catalogue.segments.isEmpty)
        lane.disk.powerCut(keeping: 0)
        lane.disk.fail(.read, 2)
        #expect(throws: LogFault.self, "a start that can't read it does not guess") {
            _ = try LaneRecovery.open(LaneFixture.key, in: LaneFixture.directory, context: lane.context)
        }
        lane.disk.fail(.read, 0)
        try lane.reopen()
        #expect(lane.catalogue.end == end)
        #expect(lane.append(1).first == end.advanced(by: 1))
    }

    @Test func aLaneThatIsNeverUsedAgainLeavesNothing() throws {
        let lane = try lane()
        try trim(lane, to: lane.catalogue.end, keepsLast: false)
        let maintenance = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        try maintenance.removeRest(keepsEnd: false)
        let names = try lane.disk.list("q/lanes")
        #expect(names.isEmpty)
    }

    /// The keys of a lane stay until their window has passed. The watermarks went before them, and a start took the lane for one that ended at 0: its
    /// ledger was ahead, and the queue went on under a new id.
    @Test func aDrainedLaneOfWhichKeysAreLeftKeepsItsEnd() throws {
        let lane = try lane()
        let end = lane.catalogue.end
        _ = try KeyHistory(context: lane.context, catalogue: lane.catalogue).writeSidecars()
        try trim(lane, to: end, keepsLast: false)
        try DurableFile.replace(
            LaneFiles.keys(Offset(1)),
            in: LaneFixture.directory,
            with: [1],
            on: lane.disk
        )
        let maintenance = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        try maintenance.removeRest(keepsEnd: false)
        try lane.reopen()
        #expect(lane.catalogue.end == end)
    }

    /// Found beside the drill syscall-fail: where no sidecar could be written nothing was trimmed, so a full disk stayed full.
    @Test func sidecarsThatCanNotBeWrittenDoNotKeepTheDiskFull() throws {
        let lane = try lane()
        let maintenance = LaneMaintenance(context: lane.context, catalogue: lane.catalogue)
        var round = LaneMaintenance.Round(
            retention: Retention(minAge: .zero, minBytes: 0),
            window: .seconds(60),
            replicated: .none,
            held: .none,
            isDraining: false,
            isPressed: true
        )
        _ = try maintenance.look(round, at: lane.now)
        let lastWithSidecar = lane.catalogue.segments.dropLast().last?.base
        for request in 21...40 { lane.append(request, rows: 3, padding: 60) }
        round.replicated = lane.catalogue.end
        lane.disk.fail(.write)
        #expect(throws: LogFault.self) { _ = try maintenance.look(round, at: lane.now) }
        lane.disk.fail(.write, 0)
        let first = try #require(lane.catalogue.segments.first?.base)
        #expect(first > lastWithSidecar ?? .none, "what has its sidecar goes")
        #expect(lane.catalogue.segments.count > 2, "what has none stays")
        _ = try maintenance.look(round, at: lane.now)
        #expect(lane.catalogue.segments.count == 1)
    }

    /// Found by simulation (seed 20734): what a draining lane gave up for want of room was written down as replicated; a crash left the segment, and the next
    /// process trimmed by it.
    @Test func whatADrainingLaneGivesUpIsNotRememberedAsReplicated() throws {
        let lane = try lane()
        let round = LaneMaintenance.Round(
            retention: Retention(minAge: .zero, minBytes: 0),
            window: .seconds(60),
            replicated: lane.catalogue.end,
            held: Offset(2),
            isDraining: true,
            isPressed: true
        )
        _ = try LaneMaintenance(context: lane.context, catalogue: lane.catalogue).look(round, at: lane.now)
        #expect(lane.catalogue.segments.isEmpty)
        let hints = LaneHints.read(LaneFixture.directory, on: lane.disk)
        #expect(hints.durable == lane.catalogue.end)
        #expect(hints.committed == lane.catalogue.end)
        #expect(hints.replicated == Offset(2))
    }
}
