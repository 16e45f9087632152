// Method: the small files of a queue directory are garbled one by one; what is found, what is done about it, and that a stop at any call leaves a queue that
// can be repaired still.
import Records
import SegmentedLog
import SimulationKit
import Testing

@Suite struct QueueRepairTests {
    private let fixture: LaneFixture
    private let directory = QueueDirectory("q")

    init() throws {
        fixture = try LaneFixture()
        try directory.create(on: fixture.disk)
        try directory.writeIdentity(LaneFixture.key.queue, on: fixture.disk)
        // A lane of an earlier queue id, older than the fixture's.
        let old = LaneKey(queue: QueueID(high: 9, low: 9), lane: LaneID(0))
        let log = try LaneRecovery.open(old, in: directory.lane(old), context: fixture.context).log
        _ = log.append([AppendRequest(.stamped(1, rows: 1))], from: 0, at: WallTime(microseconds: 1_000_000))
        fixture.append(1, rows: 3)
        fixture.disk.settle()
    }

    private var repair: QueueRepair {
        QueueRepair(
            directory,
            on: fixture.disk,
            replaceable: [.init(name: "CLUSTER") { $0 == [7] ? nil : "it is not seven" }]
        )
    }

    private func put(_ name: String, _ text: String) throws {
        try DurableFile.replace(name, in: "q", with: Array(text.utf8), on: fixture.disk)
    }

    @Test func aQueueInOrderHasNoFindings() throws {
        try DurableFile.replace("CLUSTER", in: "q", with: [7], on: fixture.disk)
        #expect(try repair.examine() == [])
    }

    @Test func theIdentityIsThatOfTheLaneThatWasWrittenLast() throws {
        try put("IDENTITY", "forebay-queue 1\nrubbish\n")
        let finding = try #require(try repair.examine().first)
        #expect(finding.name == "IDENTITY" && finding.remedy == .identity(LaneFixture.key.queue))
        try repair.apply(finding, tag: 0x2A)
        #expect(try directory.readIdentity(on: fixture.disk) == LaneFixture.key.queue)
        #expect(try repair.examine() == [])
        #expect(fixture.disk.content("q/set-aside/IDENTITY.2a") == Array("forebay-queue 1\nrubbish\n".utf8))
    }

    /// With none at all the next start would make another id.
    @Test func thereIsNoMomentWithoutAnIdentity() throws {
        for call in 0..<30 {
            let world = try QueueRepairTests()
            try world.put("IDENTITY", "rubbish")
            let finding = try #require(try world.repair.examine().first)
            world.fixture.disk.fuse.left = call
            try? world.repair.apply(finding, tag: 1)
            if call.isMultiple(of: 2) { world.fixture.disk.powerCut() } else { world.fixture.disk.processEnd() }
            for left in try world.repair.examine() { try world.repair.apply(left, tag: 2) }
            #expect(try world.directory.readIdentity(on: world.fixture.disk) == LaneFixture.key.queue, "call \(call)")
        }
    }

    @Test func aFileThatIsMadeAnewIsMovedAside() throws {
        try put("CLUSTER", "rubbish")
        let finding = try #require(try repair.examine().first)
        #expect(finding.name == "CLUSTER" && finding.reason == "it is not seven" && finding.remedy == .setAside)
        try repair.apply(finding, tag: 1)
        fixture.disk.powerCut(keeping: 0)
        #expect(try fixture.disk.list("q/set-aside") == ["CLUSTER.1"])
        #expect(try repair.examine() == [])
    }

    @Test func whatCanOnlyBeGuessedIsLeftAlone() throws {
        try put("ADOPTED", "rubbish")
        try put("ADOPTING", "rubbish")
        let findings = try repair.examine()
        #expect(findings.map(\.name) == ["ADOPTED", "ADOPTING"])
        for finding in findings { try repair.apply(finding, tag: 1) }
        #expect(try repair.examine() == findings)
    }

    @Test func aFileThatCanNotBeReadJustNowIsNoDamage() throws {
        fixture.disk.fail(.read)
        #expect(throws: FileFault.self) { try repair.examine() }
    }
}
