// The queue on a real file system: threads, locks, restarts.
import DurableQueue
import Records
import SegmentedLog
import Testing

@Suite struct DurableQueueTests {
    @Test func whatWasAcknowledgedIsReadBackAfterARestart() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let lane = LaneKey(queue: queue.id, lane: LaneID(0))
        let first = fixture.append(["a", "b"], to: queue)
        #expect(first == .durable(last: lane.position(Offset(2)), count: 2, repeated: false))
        #expect(try fixture.readAll(queue, lane) == ["a", "b"])
        queue.close()

        let again = try fixture.open()
        #expect(again.id == queue.id)
        #expect(try fixture.readAll(again, lane) == ["a", "b"])
        #expect(fixture.append(["c"], to: again) == .durable(last: lane.position(Offset(3)), count: 1, repeated: false))
        #expect(try fixture.readAll(again, lane) == ["a", "b", "c"])
        #expect(try again.reader(for: lane)?.layout(of: TestLayouts.fingerprint) == TestLayouts.layout)
        again.close()
    }

    @Test func aDirectoryHasOneQueueAtATime() throws {
        let fixture = QueueFixture()
        let queue = try fixture.open()
        let path = fixture.configuration.path
        #expect(throws: QueueFault.self) { try fixture.open() }
        do {
            _ = try fixture.open()
        } catch {
            #expect("\(error)".hasPrefix("\(path) is in use by process "))
        }
        queue.close()
    }
}
