import Instruments
package import Logging
package import Records
package import SegmentedLog
import Synchronization

/// The queue: acknowledged means on disk.
///
/// One directory, one process. Every lane has a thread that commits groups; one more thread looks after spares, trimming and deadlines.
/// All members may be called from any thread; none blocks for long but `open`, `close`, `beginNewIdentity` and `register`.
package final class DurableQueue: Sendable {
    package let configuration: QueueConfiguration
    package let metrics: QueueMetrics
    package let directory: QueueDirectory
    /// What recovery found, lane by lane; nothing is added later.
    package let recovery: [LaneRecovery.Report]

    let context: LogContext
    let log: Logger
    let roster: Mutex<LaneRoster>
    let writers: [LaneWriter]
    let pending: PendingBytes
    let keys: KeyWindow
    let housekeeper: Housekeeper
    /// Held while the identity changes.
    let identityChange = Mutex(())
    private let lock: DirectoryLock
    private let threads: Mutex<QueueThreads>

    init(parts: QueueOpening.Parts) {
        configuration = parts.configuration
        metrics = parts.metrics
        directory = parts.directory
        recovery = parts.reports
        context = parts.context
        log = parts.log
        roster = Mutex(parts.roster)
        writers = parts.writers
        pending = parts.pending
        keys = parts.keys
        housekeeper = parts.housekeeper
        lock = parts.lock
        threads = Mutex(parts.threads)
    }

    /// Opens the queue directory, making it if need be, and starts the lanes' threads. Reads the tails, not the backlog.
    ///
    /// - Parameter files: nil for those of the system.
    package static func open(
        _ configuration: QueueConfiguration,
        log: Logger,
        files: (any FileSystem)? = nil
    ) throws(QueueFault) -> DurableQueue {
        let queue = try QueueOpening(configuration, log: log, files: files).open()
        queue.housekeeper.attach(queue)
        return queue
    }

    /// The identity under which new rows are written.
    package var id: QueueID { roster.withLock { $0.id } }

    package var laneCount: Int { writers.count }

    /// Hands a batch over to be stored; nobody may change it from here on.
    ///
    /// `sink` is told once: by the lane's thread after the group commit, or, where there is nothing to wait for (a known key, an overload, a
    /// full disk, a queue that is closing, no rows), by the calling thread before this returns; no lock is held then.
    ///
    /// - Parameters:
    ///   - lane: taken modulo the number of lanes.
    ///   - commits: wakes the lane; false leaves the batch lying, together with others, until `commitAppended` or another append.
    package func append(
        _ batch: RowBatch,
        lane: LaneID,
        keyed: KeyedRequest?,
        sink: any AppendSink,
        token: UInt64,
        commits: Bool = true
    ) {
        let writer = writers[Int(lane.rawValue) % writers.count]
        guard batch.rowCount > 0 else {
            let lane = writer.lane
            sink.appendsDidFinish([
                (token, .durable(last: lane.key.position(lane.catalogue.end), count: 0, repeated: false))
            ])
            return
        }
        if let keyed {
            switch keys.begin(keyed, sink: sink, token: token) {
            case .proceed: break
            case .attached: return
            case .answered(let outcome):
                sink.appendsDidFinish([(token, outcome)])
                return
            }
        }
        let request = AppendRequest(batch: batch, keyed: keyed, sink: sink, token: token)
        if writer.isFull {
            metrics.fullRequests.add()
            return refuse(request, .full)
        }
        let cost = PendingBytes.cost(of: batch)
        guard pending.claim(cost) else {
            metrics.overloadedRequests.add()
            return refuse(request, .overloaded)
        }
        if !writer.accept(request, wakes: commits) {
            pending.release(cost)
            refuse(request, .closing)
        }
    }

    /// What is known of the request that came with this key.
    package func fate(of key: IdempotencyKey) -> KeyFate {
        keys.fate(of: key)
    }

    /// Wakes the lanes for which batches were left lying.
    package func commitAppended() {
        for writer in writers { writer.commitAccepted() }
    }

    private func refuse(_ request: AppendRequest, _ outcome: AppendOutcome) {
        if let keyed = request.keyed {
            for answer in keys.settle(keyed, outcome) {
                answer.sink.appendsDidFinish([(answer.token, answer.outcome)])
            }
        }
        request.sink.appendsDidFinish([(request.token, outcome)])
    }

    /// Takes no more requests, stores what waits, syncs everything, ends the threads, gives the directory's lock back. Can be called again.
    package func close() {
        for writer in writers { writer.finish() }
        let threads = threads.withLock { threads in
            defer { threads = .init() }
            return threads
        }
        for thread in threads.lanes { thread.join() }
        // The last hints tell how far the lanes got.
        housekeeper.finish()
        threads.housekeeper?.join()
        let lanes = roster.withLock { $0.all }
        for lane in lanes { lane.dismissWaiters() }
        lock.release()
    }
}
