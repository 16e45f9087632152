// Method: a real queue in a directory of its own, asked as the listeners ask.

import Dispatch
import DurableQueue
import IngestServer
import Logging
import Records
import Synchronization
import Testing

@testable import ForebayRuntime

@Suite struct QueueBackendTests {
    @Test func rowsForAnyLaneGoToOneThatTakesThem() throws {
        try withDirectory { directory in
            var log = Logger(label: "test")
            log.logLevel = .critical
            // The smallest budget there is, so that a lane is soon full.
            let configuration = QueueConfiguration(path: directory.path + "/queue", maxBytes: 8 << 20)
            let queue = try DurableQueue.open(configuration, log: log)
            defer { queue.close() }
            let backend = QueueBackend(
                queue: queue,
                streams: StreamRegistry([]),
                tokens: nil,
                tracksReplicas: false,
                lastWrites: nil,
                hurry: { _ in }
            )
            let sink = OutcomeSink()
            func append(_ bytes: Int, _ lane: LaneChoice) -> AppendOutcome? {
                backend.append(.text(bytes), lane: lane, keyed: nil, sink: sink, token: 0)
                backend.commitAppended()
                return sink.next()
            }
            func lane(_ outcome: AppendOutcome?) -> LaneID? {
                if case .durable(let last, _, _) = outcome { last.lane } else { nil }
            }

            #expect(lane(append(10, .any(0))) == LaneID(0))
            #expect(lane(append(10, .any(1))) == LaneID(1))
            while lane(append(60_000, .ordered(0))) != nil {}
            #expect(queue.status().fullLanes == [LaneID(0)])
            #expect(backend.intake == .accepting)

            #expect(lane(append(10, .any(0))) == LaneID(1))
            #expect(lane(append(10, .any(2))) == LaneID(1))
            // An order key's rows are where those before them are.
            #expect(append(10, .ordered(0)) == .full)
        }
    }
}

/// Outcomes in the order in which they come, each waited for.
private final class OutcomeSink: AppendSink {
    private let outcomes = Mutex<[AppendOutcome]>([])
    private let told = DispatchSemaphore(value: 0)

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        for result in results {
            outcomes.withLock { $0.append(result.outcome) }
            told.signal()
        }
    }

    func next() -> AppendOutcome? {
        told.wait()
        return outcomes.withLock { $0.removeFirst() }
    }
}

private final class OneText: LayoutSource {
    static let shared = OneText()
    static let fields = RowLayout(
        stream: "s",
        table: TableName(schema: "public", name: "t"),
        columns: [RowLayout.Field(name: "a", type: .text)]
    )

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        fingerprint == Self.fields.fingerprint ? Self.fields : nil
    }
}

extension RowBatch {
    /// One row with a text of that many random bytes, which take as much on disk.
    fileprivate static func text(_ count: Int) -> RowBatch {
        let batch = RowBatch(layouts: OneText.shared)
        let noise = (0..<(count + 7) / 8).map { _ in UInt64.random(in: 0 ... .max) }
        let bytes =
            [0, 1] + withUnsafeBytes(of: Int32(count).bigEndian) { Array($0) }
            + noise.withUnsafeBytes { Array($0.prefix(count)) }
        batch.reserve(bytes.count).copyMemory(from: bytes, byteCount: bytes.count)
        batch.byteCount += bytes.count
        batch.endRow(OneText.fields.fingerprint)
        return batch
    }
}
