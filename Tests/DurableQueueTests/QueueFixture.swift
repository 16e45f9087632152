// A queue in a directory of its own, and a sink that can be waited on.
import DurableQueue
import Glibc
import Logging
import Records
import SegmentedLog
import Synchronization

final class TestLayouts: LayoutSource {
    static let layout = RowLayout(
        stream: "s",
        table: TableName(schema: "public", name: "t"),
        columns: [RowLayout.Field(name: "a", type: .text)]
    )
    static let fingerprint = layout.fingerprint
    static let shared = TestLayouts()

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        fingerprint == Self.fingerprint ? Self.layout : nil
    }
}

extension RowBatch {
    /// Rows of one text column.
    static func texts(_ texts: [String]) -> RowBatch {
        let batch = RowBatch(layouts: TestLayouts.shared)
        for text in texts {
            let bytes: [UInt8] =
                [0, 1] + withUnsafeBytes(of: Int32(text.utf8.count).bigEndian) { Array($0) } + Array(text.utf8)
            batch.reserve(bytes.count).copyMemory(from: bytes, byteCount: bytes.count)
            batch.byteCount += bytes.count
            batch.endRow(TestLayouts.fingerprint)
        }
        return batch
    }
}

extension RowChunk {
    var texts: [String] {
        var texts: [String] = []
        var position = 0
        for _ in 0..<count {
            let length = bytes[position + 2..<position + 6].reduce(0) { $0 << 8 | Int($1) }
            texts.append(String(decoding: bytes[position + 6..<position + 6 + length], as: UTF8.self))
            position += 6 + length
        }
        return texts
    }
}

/// Collects outcomes by token.
final class WaitingSink: AppendSink {
    private let outcomes = Mutex<[UInt64: AppendOutcome]>([:])
    private let doubles = Mutex(0)
    private let condition = Semaphore()

    func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
        for result in results {
            let old = outcomes.withLock { $0.updateValue(result.outcome, forKey: result.token) }
            if old != nil { doubles.withLock { $0 += 1 } }
            condition.signal()
        }
    }

    /// Waits until `count` more outcomes have come.
    func await(_ count: Int) {
        for _ in 0..<count { condition.wait() }
    }

    subscript(token: UInt64) -> AppendOutcome? { outcomes.withLock { $0[token] } }
    var tokensToldTwice: Int { doubles.withLock { $0 } }
    var all: [AppendOutcome] { outcomes.withLock { Array($0.values) } }
}

final class Semaphore: @unchecked Sendable {
    // Sendable because a POSIX semaphore is.
    private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(handle, 0, 0)
    }

    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }

    func signal() { sem_post(handle) }

    func wait() {
        while sem_wait(handle) != 0 {}
    }
}

/// A directory that is removed at the end.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/forebay-queue-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "" }
            return String(cString: made)
        }
    }

    deinit {
        Self.remove(path)
    }

    private static func remove(_ path: String) {
        let fileSystem = POSIXFileSystem()
        for name in (try? fileSystem.list(path)) ?? [] {
            let child = "\(path)/\(name)"
            if unlink(child) != 0 { remove(child) }
        }
        rmdir(path)
    }
}

struct QueueFixture {
    let directory = TemporaryDirectory()
    let sink = WaitingSink()
    var configuration: QueueConfiguration
    let log: Logger

    init(_ change: (inout QueueConfiguration) -> Void = { _ in }) {
        var log = Logger(label: "test")
        log.logLevel = .critical
        self.log = log
        configuration = QueueConfiguration(
            path: directory.path + "/queue",
            lanes: 1,
            maxBytes: 64 << 20,
            segmentBytes: 256 << 10,
            retention: QueueConfiguration.Retention(minAge: .zero, minBytes: 0)
        )
        change(&configuration)
    }

    func open(_ change: (inout QueueConfiguration) -> Void = { _ in }) throws -> DurableQueue {
        var configuration = configuration
        change(&configuration)
        return try DurableQueue.open(configuration, log: log)
    }

    /// Appends one request and waits for its outcome.
    func append(
        _ texts: [String],
        to queue: DurableQueue,
        lane: UInt16 = 0,
        key: UInt64? = nil,
        body: UInt64 = 1
    ) -> AppendOutcome {
        let sink = WaitingSink()
        queue.append(
            .texts(texts),
            lane: LaneID(lane),
            keyed: key.map { KeyedRequest(key: IdempotencyKey(high: 1, low: $0), bodyDigest: body) },
            sink: sink,
            token: 1
        )
        sink.await(1)
        return sink[1] ?? .closing
    }

    func readAll(_ queue: DurableQueue, _ key: LaneKey) throws -> [String] {
        guard let reader = queue.reader(for: key) else { return [] }
        let after = Offset(reader.firstAvailable.rawValue - 1)
        return try reader.read(after: after, rows: .max, bytes: .max).chunks.flatMap(\.texts)
    }
}
