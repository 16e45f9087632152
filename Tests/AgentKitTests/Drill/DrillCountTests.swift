import AgentKit
import Testing

/// Method: small journals by hand; each kind of fault is brought in once and must be found, so that the count is known to be able
/// to fail.
struct DrillCountTests {
    private func journal(agent: Int = 0, keys: Bool = true) throws -> DrillRecord {
        try DrillRecord(
            journal: "forebay-drill 1 r \(agent) \(keys ? "keys" : "no-keys")\ns 1 3\na 1 3\ns 4 2\n"
        )
    }

    private func verdict(_ records: [DrillRecord], _ arrivals: [String]) -> DrillCount.Verdict {
        var count = DrillCount(records: records)
        for id in arrivals { count.arrived(id) }
        return count.verdict
    }

    @Test func everythingThereOnceIsFine() throws {
        let verdict = verdict([try journal()], ["r-0-1", "r-0-2", "r-0-3", "r-0-4"])
        #expect(verdict.passes)
        #expect(verdict.sent == 5 && verdict.acknowledged == 3 && verdict.arrived == 4 && verdict.unacknowledged == 1)
    }

    @Test func findsALostEvent() throws {
        let verdict = verdict([try journal()], ["r-0-1", "r-0-3"])
        #expect(!verdict.passes)
        #expect(verdict.lost == 1 && verdict.lostExamples == ["r-0-2"])
    }

    @Test func findsADoubledEvent() throws {
        let verdict = verdict([try journal()], ["r-0-1", "r-0-2", "r-0-3", "r-0-3"])
        #expect(!verdict.passes)
        #expect(verdict.doubled == 1 && verdict.doubledExamples == ["r-0-3"])
    }

    @Test func findsADoubledEventThatWasNotAcknowledged() throws {
        #expect(verdict([try journal()], ["r-0-1", "r-0-2", "r-0-3", "r-0-5", "r-0-5"]).doubled == 1)
    }

    @Test func allowsDoublesWithoutKeys() throws {
        let verdict = verdict([try journal(keys: false)], ["r-0-1", "r-0-2", "r-0-3", "r-0-3"])
        #expect(verdict.passes)
        #expect(verdict.doubledWithoutKeys == 1)
    }

    @Test(arguments: ["r-0-6", "r-7-1"])
    func findsWhatNobodySent(_ id: String) throws {
        let verdict = verdict([try journal()], ["r-0-1", "r-0-2", "r-0-3", id])
        #expect(!verdict.passes)
        #expect(verdict.unexpectedExamples == [id])
    }

    @Test func leavesAsideWhatIsSentMeanwhile() throws {
        var count = DrillCount(records: [try journal()], stillSending: true)
        for id in ["r-0-1", "r-0-2", "r-0-3", "r-0-6"] { count.arrived(id) }
        #expect(count.verdict.passes)
        count.arrived("r-7-1")
        #expect(!count.verdict.passes)
    }

    @Test func leavesOthersAlone() throws {
        let verdict = verdict(
            [try journal()],
            ["r-0-1", "r-0-2", "r-0-3", "other-0-1", "4bf92f3577b34da6", "r-0-0", ""]
        )
        #expect(verdict.passes)
        #expect(verdict.foreign == 3)
    }

    @Test func tellsAgentsApart() throws {
        let verdict = verdict([try journal(), try journal(agent: 1)], ["r-0-1", "r-0-2", "r-0-3", "r-1-1", "r-1-2"])
        #expect(verdict.lostExamples == ["r-1-3"])
    }

    @Test func anUnfinishedEntryCountsForNothing() throws {
        let record = try DrillRecord(journal: "forebay-drill 1 r 0 keys\ns 1 3\na 1 3")
        #expect(record.acknowledged == [false, false, false])
    }

    @Test(arguments: [
        "forebay-drill 1 r 0 keys\ns 2 3\n", "forebay-drill 1 r 0 keys\ns 1 3\na 1 4\n",
        "forebay-drill 1 r 0 keys\nx 1 1\n",
        "forebay-drill 1 r 0 keys\ns 1\n", "forebay-drill 1 r 0 keys\ns 1 0\n",
    ])
    func refusesAJournalThatContradictsItself(_ text: String) {
        #expect(throws: DrillRecord.Fault.self) { try DrillRecord(journal: text) }
    }

    @Test(arguments: [
        "", "\n", "forebay-drill 2 r 0 keys\n", "forebay-drill 1 r 0 maybe\n", "forebay-drill 1 r- 0 keys\n",
    ])
    func refusesAnotherHeader(_ text: String) {
        #expect(throws: DrillRecord.Fault.badHeader) { try DrillRecord(journal: text) }
    }

    @Test(arguments: ["r-1", "r-1-", "-1-1", "r-01-1", "r-1-01", "r-1--1", "r-1-1 ", "r_1-1-1", "r-1-1000000000000000"])
    func refusesOtherIDs(_ text: String) {
        #expect(DrillID(text) == nil)
    }

    @Test func idsComeBack() {
        let id = DrillID(run: "aZ9", agent: 12, number: 345)
        #expect(DrillID(id.description) == id)
    }
}
