// Looking into a queue beside the running proxy, and into a damaged copy.
import DurableQueue
import Glibc
import Records
import SegmentedLog
import Testing

@Suite struct InspectorTests {
    @Test func aRunningQueueIsListedVerifiedAndPrinted() throws {
        let fixture = QueueFixture { $0.segmentBytes = 64 << 10 }
        let queue = try fixture.open()
        let lane = queue.lanes.active[0]
        for number in 0..<30 { _ = fixture.append([noise(8000, seed: number)], to: queue, key: UInt64(number)) }
        let inspector = try QueueInspector(path: fixture.configuration.path, keyRing: KeyRing())
        #expect(try inspector.identity() == queue.id)
        #expect(try inspector.lanes() == [lane])
        let snapshot = try inspector.snapshot(lane)
        #expect(snapshot.segments.count > 2 && snapshot.end == Offset(30))
        let audit = try inspector.audit(lane)
        #expect(audit.rows == 30 && audit.keys == 30 && audit.findings.isEmpty)

        var positions: [Position] = []
        let lost = try inspector.events(of: lane, from: Offset(5), to: Offset(25)) { event in
            positions.append(event.position)
            #expect(event.layout == TestLayouts.layout && event.tuple.count == 8006)
            return positions.count < 10
        }
        #expect(lost.isEmpty)
        #expect(positions == (5...14).map { lane.position(Offset($0)) })
        queue.close()
    }

    @Test func damageIsNamedByFileByteAndOffsets() throws {
        let fixture = QueueFixture { $0.segmentBytes = 64 << 10 }
        let queue = try fixture.open()
        let lane = queue.lanes.active[0]
        for number in 0..<30 { _ = fixture.append([noise(8000, seed: number)], to: queue) }
        queue.close()
        let inspector = try QueueInspector(path: fixture.configuration.path, keyRing: KeyRing())
        let segment = try inspector.snapshot(lane).segments[1]
        let path = queue.directory.lane(lane) + "/" + segment.name
        let file = open(path, O_WRONLY)
        _ = pwrite(file, [UInt8]([0xAA, 0x55]), 2, 2000)
        close(file)
        let audit = try inspector.audit(lane)
        #expect(audit.findings.count == 1)
        #expect(audit.findings.first?.path == path && audit.findings.first?.byte == 512)
        #expect(audit.findings.first?.offsets == segment.base...segment.base)
        var seen = 0
        let lost = try inspector.events(of: lane, from: nil, to: nil) { _ in
            seen += 1
            return true
        }
        #expect(lost == [segment.base...segment.base] && seen == 29)
    }

    @Test func aDirectoryWithoutAQueueIsRefused() {
        #expect(throws: QueueFault.self) { try QueueInspector(path: "/tmp", keyRing: KeyRing()) }
    }
}
