import Delivery
import LibPQClient
import Records
import Synchronization
import Testing

/// A lane with a queue and a dead-letter store in memory that delivers to the real server. Pauses pass at once.
final class RealLane {
    let key = LaneKey(queue: QueueID(high: .random(in: 0 ... .max), low: .random(in: 0 ... .max)), lane: LaneID(11))
    private let queue = Queue()
    private let store = Store()
    private let journal = Journal()
    private let clock = Clock()
    private let delivery: LaneDelivery
    let destination: LedgerDestination

    init() throws {
        destination = try RealServerTests.LedgerDestinationTests.makeDestination()
        delivery = LaneDelivery(
            lane: key,
            opened: .none,
            source: queue,
            destination: destination,
            deadLetters: store,
            observer: journal,
            clock: clock
        )
    }

    var letters: [DeadLetter] { store.letters.withLock { $0 } }

    var events: [DeliveryEvent] { journal.events }

    /// How often the server refused a flush, or could not be asked.
    var faults: Int { events.count { if case .fault = $0 { true } else { false } } }

    /// Everything up to the durable end is in the database or set aside.
    var isDrained: Bool { journal.position == queue.durable }

    /// Appends a block of rows: an `int8` and a field of the given bytes each.
    func append(_ layout: RowLayout, _ rows: [(Int64, [UInt8]?)]) {
        var encoded = TestRows()
        for row in rows { encoded.add(row.0, bytes: row.1) }
        queue.append(layout, rows: rows.count, encoded.bytes)
    }

    /// Steps until all is delivered or set aside; gives up after so many steps, which is what a lane that stands still comes to.
    func drain(steps: Int = 60) {
        for _ in 0..<steps {
            switch delivery.step(awaited: queue.durable) {
            case .again: continue
            case .sleep(let until), .held(_, let until): clock.now = until
            case .waitForData, .stopped: return
            }
        }
    }

    func pass(_ time: Duration) {
        clock.now += time
    }

    /// What `forebay dlq retry` does: the rows of the letters come again, as they were, at the end of the queue.
    func retryLetters() {
        let letters = store.letters.withLock { letters in
            defer { letters.removeAll() }
            return letters
        }
        for letter in letters { queue.append(letter.fingerprint, rows: letter.count, letter.bytes) }
        delivery.tryParkedStreams()
    }

    private final class Clock: DeliveryClock {
        var now = Duration.zero
        var wallTime: Int64 { 0 }
    }

    private final class Journal: DeliveryObserver {
        var events: [DeliveryEvent] = []
        var position = Offset.none

        func observe(_ event: DeliveryEvent, of lane: LaneKey) {
            events.append(event)
            if case .flushed(let ledger, _, _, _) = event { position = ledger.position }
        }
    }

    private final class Queue: ChunkSource {
        private var chunks: [RowChunk] = []
        private var layouts: [Fingerprint: RowLayout] = [:]
        private(set) var durable = Offset.none
        let firstAvailable = Offset(1)

        func append(_ layout: RowLayout, rows: Int, _ bytes: [UInt8]) {
            layouts[layout.fingerprint] = layout
            append(layout.fingerprint, rows: rows, bytes)
        }

        func append(_ fingerprint: Fingerprint, rows: Int, _ bytes: [UInt8]) {
            let first = durable.advanced(by: 1)
            chunks.append(RowChunk(fingerprint: fingerprint, first: first, count: rows, bytes: bytes))
            durable = durable.advanced(by: rows)
        }

        /// Positions of these tests are always at the ends of blocks, but for searches, which cut one.
        func read(after offset: Offset, limit: ReadLimit) throws(SourceFault) -> ReadResult {
            var result = ReadResult(chunks: [])
            for chunk in chunks where chunk.last > offset {
                guard chunk.first > offset else {
                    result.chunks.append(cut(chunk, after: offset))
                    continue
                }
                result.chunks.append(chunk)
            }
            return result
        }

        /// All rows of a block are of one length here.
        private func cut(_ chunk: RowChunk, after offset: Offset) -> RowChunk {
            let skipped = chunk.first.distance(to: offset) + 1
            return RowChunk(
                fingerprint: chunk.fingerprint,
                first: offset.advanced(by: 1),
                count: chunk.count - skipped,
                bytes: Array(chunk.bytes[(skipped * (chunk.bytes.count / chunk.count))...])
            )
        }

        func layout(of fingerprint: Fingerprint) throws(SourceFault) -> RowLayout {
            guard let layout = layouts[fingerprint] else { throw SourceFault("unknown layout \(fingerprint)") }
            return layout
        }
    }

    private final class Store: DeadLetterStore {
        let letters = Mutex<[DeadLetter]>([])
        private let ranges = Mutex<[ClosedRange<Offset>]>([])

        func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
            self.letters.withLock { $0 += letters }
            ranges.withLock { $0 += letters.map(\.range) }
        }

        func endDoubts(of lane: LaneKey) throws(DeadLetterFault) {}

        func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
            ranges.withLock { $0.filter { $0.overlaps(range) }.map { $0.clamped(to: range) } }
                .sorted { $0.lowerBound < $1.lowerBound }
        }
    }
}
