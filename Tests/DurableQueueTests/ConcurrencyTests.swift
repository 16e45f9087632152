// Many threads append to several lanes while readers read, the keeper trims and the queue closes: every acknowledged row is there once.
import DurableQueue
import Glibc
import Instruments
import Records
import SegmentedLog
import Synchronization
import Testing

@Suite struct ConcurrencyTests {
    @Test func manySendersAndARestartLoseAndDoubleNothing() async throws {
        let fixture = QueueFixture {
            $0.lanes = 2
            $0.segmentBytes = 64 << 10
        }
        let queue = try fixture.open()
        let senders = 4
        let requests = 150
        let told = Told()
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<senders {
                group.addTask {
                    let sink = WaitingSink()
                    for number in 0..<requests {
                        queue.append(
                            .texts(["\(sender)/\(number)"]),
                            lane: LaneID(UInt16(number)),
                            keyed: nil,
                            sink: sink,
                            token: UInt64(number)
                        )
                    }
                    sink.await(requests)
                    for number in 0..<requests {
                        guard case .durable(let last, 1, false)? = sink[UInt64(number)] else {
                            Issue.record("request \(number): \(String(describing: sink[UInt64(number)]))")
                            continue
                        }
                        told.note("\(sender)/\(number)", last)
                    }
                }
            }
        }
        queue.close()
        let again = try fixture.open()
        var found: [String: Position] = [:]
        for lane in again.lanes.active {
            let rows = try fixture.readAll(again, lane)
            for (index, text) in rows.enumerated() {
                #expect(found[text] == nil, "\(text) is there twice")
                found[text] = lane.position(Offset(UInt64(index + 1)))
            }
        }
        #expect(found == told.all)
        #expect(queue.metrics.commits.value < senders * requests, "requests share commits")
        again.close()
    }
}

/// What the senders were told.
private final class Told: Sendable {
    private let positions = Mutex<[String: Position]>([:])

    func note(_ row: String, _ position: Position) {
        positions.withLock { $0[row] = position }
    }

    var all: [String: Position] { positions.withLock { $0 } }
}
