// Lanes that come and go: numbers of lanes, queue ids, keys of encryption; readers that wait; watermarks that are waited for.
import DurableQueue
import Glibc
import Records
import SegmentedLog
import Synchronization
import Testing

@Suite struct LaneLifeTests {
    @Test func lanesBeyondTheConfiguredNumberAreDrainedAndGoOnWhereTheyEnded() throws {
        let fixture = QueueFixture { $0.lanes = 3 }
        var queue = try fixture.open()
        for lane in 0..<3 as Range<UInt16> { _ = fixture.append(["row \(lane)"], to: queue, lane: lane) }
        let id = queue.id
        queue.close()

        queue = try fixture.open { $0.lanes = 1 }
        let draining = [1, 2].map { LaneKey(queue: id, lane: LaneID($0)) }
        #expect(queue.lanes.draining == draining)
        #expect(try fixture.readAll(queue, draining[1]) == ["row 2"])
        for lane in draining {
            queue.setCommitted(Offset(1), of: lane)
            queue.setReplicated(Offset(1), of: lane)
        }
        eventually { queue.lanes.draining.isEmpty }
        let directory = queue.directory.lane(draining[1])
        eventually { (try? POSIXFileSystem().list(directory)) == [LaneFiles.watermarks] }
        queue.close()
        queue = try fixture.open()
        #expect(queue.lanes.active.count == 3)
        // Its ledger is at 1: a row at offset 1 would be taken for one that is there.
        let outcome = fixture.append(["again"], to: queue, lane: 2)
        #expect(outcome == .durable(last: draining[1].position(Offset(2)), count: 1, repeated: false))
        queue.close()
    }

    @Test func aNewIdentityKeepsTheOldRowsAndBeginsAtOne() throws {
        let fixture = QueueFixture { $0.lanes = 2 }
        var queue = try fixture.open()
        let old = queue.id
        _ = fixture.append(["old"], to: queue)
        let new = try queue.beginNewIdentity()
        #expect(new != old && queue.id == new)
        let lane = LaneKey(queue: new, lane: LaneID(0))
        #expect(
            fixture.append(["new"], to: queue) == .durable(last: lane.position(Offset(1)), count: 1, repeated: false)
        )
        let oldLane = LaneKey(queue: old, lane: LaneID(0))
        #expect(try fixture.readAll(queue, oldLane) == ["old"])
        #expect(queue.lanes.draining.contains(oldLane))
        queue.close()
        queue = try fixture.open()
        #expect(queue.id == new)
        #expect(try fixture.readAll(queue, oldLane) == ["old"])
        #expect(try fixture.readAll(queue, lane) == ["new"])
        queue.close()
    }

    @Test func aReaderWaitsForRowsAndIsWoken() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let reader = try #require(queue.reader(for: queue.lanes.active[0]))
        #expect(!reader.waitForData(after: .none, within: .milliseconds(5)))
        reader.wake()
        #expect(!reader.waitForData(after: .none, within: .seconds(60)), "a wake beforehand counts")
        _ = fixture.append(["a"], to: queue)
        #expect(reader.waitForData(after: .none, within: .seconds(60)))
        #expect(reader.durable == Offset(1))
        #expect(!reader.waitForData(after: Offset(1), within: .milliseconds(1)))
        queue.close()
    }

    @Test func watermarksAreWaitedForOnce() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let lane = queue.lanes.active[0]
        _ = fixture.append(["a", "b"], to: queue)
        let answers = Mutex<[String]>([])
        @Sendable func note(_ name: String) -> @Sendable (Bool) -> Void {
            { reached in answers.withLock { $0.append("\(name) \(reached)") } }
        }
        queue.notify(when: .durable, reaches: lane.position(Offset(2)), within: .seconds(60), then: note("durable"))
        queue.notify(when: .committed, reaches: lane.position(Offset(2)), within: .seconds(60), then: note("committed"))
        queue.notify(
            when: .replicated,
            reaches: lane.position(Offset(1)),
            within: .milliseconds(20),
            then: note("late")
        )
        queue.notify(when: .replicated, reaches: lane.position(Offset(2)), within: .seconds(60), then: note("closing"))
        #expect(answers.withLock { $0 } == ["durable true"])
        queue.setCommitted(Offset(1), of: lane)
        queue.setCommitted(Offset(2), of: lane)
        #expect(answers.withLock { $0 } == ["durable true", "committed true"])
        eventually { answers.withLock { $0.last } == "late false" }
        queue.close()
        #expect(answers.withLock { $0 } == ["durable true", "committed true", "late false", "closing false"])
    }

    @Test func aStrangePositionIsNotWaitedFor() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let stranger = Position(queue: QueueID(high: 9, low: 9), lane: LaneID(0), offset: Offset(1))
        let answer = Mutex<Bool?>(nil)
        queue.notify(when: .committed, reaches: stranger, within: .seconds(60)) { reached in
            answer.withLock { $0 = reached }
        }
        #expect(answer.withLock { $0 } == false)
        queue.close()
    }

    @Test func theBacklogAndTheAgeOfTheOldestRowAreKnown() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let lane = queue.lanes.active[0]
        #expect(queue.progress(of: lane)?.oldestUncommitted == nil)
        _ = fixture.append(["a", "b"], to: queue)
        eventually { queue.progress(of: lane)?.oldestUncommitted != nil }
        #expect(queue.progress(of: lane)?.backlog == 2)
        queue.setCommitted(Offset(2), of: lane)
        eventually { queue.progress(of: lane)?.oldestUncommitted == nil }
        #expect(queue.progress(of: lane)?.backlog == 0)
        queue.close()
    }

    @Test func schemasAreKeptByStream() throws {
        let fixture = QueueFixture()
        var queue = try fixture.open()
        let schemas = ["plain", "with/slash", "ü"].map {
            StreamSchema(
                stream: $0,
                table: TableName(schema: "public", name: "t"),
                columns: [Column(name: "a", type: .int4, notNull: true)]
            )
        }
        for schema in schemas { try queue.cache(schema) }
        queue.close()
        queue = try fixture.open()
        #expect(try Set(queue.cachedSchemas()) == Set(schemas))
        queue.close()
    }

    @Test func aStrangeDirectoryIsRefusedInWords() throws {
        let fixture = QueueFixture()
        try fixture.open().close()
        let path = fixture.configuration.path + "/IDENTITY"
        func refusal(_ text: String) throws -> String {
            let file = try #require(fopen(path, "w"))
            fputs(text, file)
            fclose(file)
            do {
                try fixture.open().close()
                return ""
            } catch {
                return "\(error)"
            }
        }
        #expect(try refusal("forebay-queue 9\nx\n").contains("found \"forebay-queue 9\""))
        #expect(try refusal("hello\n").contains("not the identity of a forebay queue"))
        #expect(try refusal("forebay-queue 1\nnonsense\n").contains("no queue id"))
    }
}
