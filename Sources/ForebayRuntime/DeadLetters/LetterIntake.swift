import COpenSSL
import Dispatch
import DurableQueue
import Records
import SegmentedLog
import Synchronization

/// Puts the rows of retried letters into the queue, and waits until they are on disk.
final class LetterIntake: LetterQueue {
    private let queue: DurableQueue

    init(_ queue: DurableQueue) {
        self.queue = queue
    }

    func layout(of fingerprint: Fingerprint) -> RowLayout? {
        queue.layout(of: fingerprint)
    }

    func append(_ rows: RowBatch, stream: String, key: String) throws(LetterQueueFault) {
        let request = KeyedRequest(
            key: Self.key(stream, key),
            bodyDigest: Self.word(Self.digest(Array(rows.bytes)), 0)
        )
        let answer = Answer()
        // Any lane will do; the key spreads the letters over them.
        let lane = LaneID(UInt16(truncatingIfNeeded: request.key.low))
        queue.append(rows, lane: lane, keyed: request, sink: answer, token: 0)
        switch answer.wait() {
        case .durable: return
        case .keyReused: throw LetterQueueFault("the queue knows its key with other rows")
        case .full: throw LetterQueueFault("the queue is full")
        case .overloaded: throw LetterQueueFault("more is waiting in memory than the queue takes; try again")
        case .failed(let reason): throw LetterQueueFault(reason)
        case .closing: throw LetterQueueFault("the queue is shutting down")
        }
    }

    func fate(stream: String, key: String) -> KeyFate {
        queue.fate(of: Self.key(stream, key))
    }

    private static func key(_ stream: String, _ key: String) -> IdempotencyKey {
        let digest = digest(Array("dlq\0\(stream)\0\(key)".utf8))
        return IdempotencyKey(high: word(digest, 0), low: word(digest, 8))
    }

    private static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        SHA256(bytes, bytes.count, &digest)
        return digest
    }

    private static func word(_ digest: [UInt8], _ start: Int) -> UInt64 {
        digest[start..<(start + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Lets the calling thread wait for one append.
    private final class Answer: AppendSink {
        private let outcome = Mutex<AppendOutcome?>(nil)
        private let arrived = DispatchSemaphore(value: 0)

        func appendsDidFinish(_ results: [(token: UInt64, outcome: AppendOutcome)]) {
            guard let result = results.first else { return }
            outcome.withLock { $0 = result.outcome }
            arrived.signal()
        }

        func wait() -> AppendOutcome {
            arrived.wait()
            return outcome.withLock { $0 } ?? .closing
        }
    }
}
