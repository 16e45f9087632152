import Delivery
import DurableQueue
import IngestFormats
import LibPQClient
import Logging
import Records
import SegmentedLog
import Synchronization
import Topology

/// What has to be done now and then: reads the streams' tables from the catalogue of the primary, has partitions made ahead, and clears
/// settled dead letters away. On a thread of its own.
final class Upkeep: Sendable {
    private let primaries: any PrimaryDirectory
    private let connection: ConnectionSettings
    private let streams: StreamRegistry
    private let queue: DurableQueue
    private let deadLetters: DeadLetterCabinet
    private let office: LetterOffice
    private let log: Logger
    private let interrupt = Interrupt()
    private let state = Monitor(State())
    private let thread = Mutex<OwnedThread?>(nil)

    private struct State {
        var isStopping = false
        /// Counts the calls of `hurry`.
        var calls = 0
        /// The tables as they were are taken over, or there are none.
        var hasUsedCache = false
    }

    private static let retryPause = Duration.seconds(1)
    private static let lookPause = Duration.seconds(15)
    private static let patience = Duration.seconds(30)

    init(
        primaries: any PrimaryDirectory,
        connection: ConnectionSettings,
        streams: StreamRegistry,
        queue: DurableQueue,
        deadLetters: DeadLetterCabinet,
        log: Logger
    ) {
        self.primaries = primaries
        var named = connection
        named.applicationName += "/upkeep"
        self.connection = named
        self.streams = streams
        self.queue = queue
        self.deadLetters = deadLetters
        office = LetterOffice(deadLetters.log, queue)
        self.log = log
    }

    /// Takes over the tables as they were when they were last read, so that ingest works while PostgreSQL is away. What can't be read is tried
    /// again until PostgreSQL tells.
    func useCache() {
        do throws(LogFault) {
            let configured = Dictionary(uniqueKeysWithValues: streams.streams.map { ($0.name, $0.table) })
            let waiting = Set(streams.waiting.map(\.stream))
            for schema in try queue.cachedSchemas()
            where configured[schema.stream] == schema.table && waiting.contains(schema.stream) {
                install(schema)
            }
            state.withLock { $0.hasUsedCache = true }
        } catch {
            log.warning("the cached tables can't be read", metadata: ["reason": "\(error)"])
        }
    }

    func start() throws(QueueFault) {
        let started = try OwnedThread(name: "upkeep") { self.run() }
        thread.withLock { $0 = started }
    }

    /// There is a primary that was not there before, or a table may have been changed.
    func hurry() {
        state.broadcast { $0.calls += 1 }
    }

    func stop() {
        state.broadcast { $0.isStopping = true }
        interrupt.fire()
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    private func run() {
        let clock = MonotonicClock()
        var partitions = PartitionKeeper(first: clock.now)
        while true {
            let (isStopping, calls, hasUsedCache) = state.withLock { ($0.isStopping, $0.calls, $0.hasUsedCache) }
            if isStopping { return }
            if !hasUsedCache { useCache() }
            var wasReached = false
            if let primary = primary() {
                wasReached = true
                readTables(primary)
                if clock.now >= partitions.next {
                    partitions.run(on: primary, now: { clock.now }, report: tell)
                }
            }
            finishRetries()
            compactDeadLetters()
            let isWaiting = !wasReached || !streams.waiting.isEmpty
            let pause = isWaiting ? Self.retryPause : Self.lookPause
            _ = state.wait(until: .after(pause)) { state, _ in state.isStopping || state.calls != calls ? true : nil }
        }
    }

    private func finishRetries() {
        do throws(DeadLetterLogFault) {
            let letters = try office.finishRetries()
            guard letters > 0 else { return }
            log.notice(
                "the rows of dead letters were in the queue already: their retry had been cut short",
                metadata: ["letters": "\(letters)"]
            )
        } catch {
            log.warning("retries that were cut short can't be marked", metadata: ["reason": "\(error)"])
        }
    }

    private func compactDeadLetters() {
        do throws(DeadLetterLogFault) {
            // A lane that is gone has been drained and trimmed whole.
            _ = try deadLetters.log.compact { self.queue.gone(of: $0) ?? Offset(.max) }
        } catch {
            log.warning("settled dead letters can't be cleared away", metadata: ["reason": "\(error)"])
        }
    }

    private func primary() -> PostgresConnection? {
        guard let node = primaries.choice.node else { return nil }
        do throws(ConnectionFault) {
            return try PostgresConnection.open(
                to: node,
                settings: connection,
                deadline: .after(Self.patience),
                interrupt: interrupt,
                accepts: { (candidate, deadline) throws(ConnectionFault) in try !candidate.isInRecovery(by: deadline) }
            )
        } catch {
            log.debug("the catalogue can't be read", metadata: ["node": "\(node)", "reason": "\(error)"])
            primaries.lookAgain()
            return nil
        }
    }

    private func readTables(_ primary: PostgresConnection) {
        let catalogue = Catalogue(primary)
        for stream in streams.streams {
            do throws(CatalogueFault) {
                let schema = try catalogue.schema(of: stream.table, stream: stream.name, by: .after(Self.patience))
                if install(schema) { remember(schema) }
            } catch {
                let isNews = streams.waiting.contains { $0.stream == stream.name && $0.reason != "\(error)" }
                streams.note("\(error)", for: stream.name)
                if isNews {
                    log.error(
                        "a stream's table can't be used",
                        metadata: ["stream": "\(stream.name)", "reason": "\(error)"]
                    )
                }
            }
        }
    }

    @discardableResult
    private func install(_ schema: StreamSchema) -> Bool {
        do throws(PlanFault) {
            let isNews = try streams.install(schema)
            if isNews {
                log.info(
                    "a stream is ready",
                    metadata: [
                        "stream": "\(schema.stream)", "table": "\(schema.table)", "columns": "\(schema.columns.count)",
                    ]
                )
            }
            return isNews
        } catch {
            streams.note("\(error)", for: schema.stream)
            log.error(
                "a stream's configuration does not fit its table",
                metadata: ["stream": "\(schema.stream)", "reason": "\(error)"]
            )
            return false
        }
    }

    private func remember(_ schema: StreamSchema) {
        do throws(LogFault) {
            try queue.cache(schema)
        } catch {
            log.warning("a table can't be cached", metadata: ["stream": "\(schema.stream)", "reason": "\(error)"])
        }
    }

    /// Puts into the log what a round of the partitions did.
    private func tell(_ event: PartitionKeeper.Event) {
        switch event {
        case .made(let partition, let detail):
            log.debug("a partition was made", metadata: ["partition": "\(partition)", "detail": "\(detail)"])
        case .left(let day, let reason):
            log.warning(
                "a day has too many rows in the default partition to be moved, and stays there",
                metadata: Self.metadata(day, reason)
            )
        case .putOff(let day, let reason):
            log.notice(
                "a table's partitions are made later",
                metadata: Self.metadata(day, reason)
            )
        case .failed(let day, let reason):
            log.warning(
                "a day's partition can't be made; its rows go to the default partition",
                metadata: Self.metadata(day, reason)
            )
        case .trouble(let table, let reason):
            log.warning(
                "partitions can't be made",
                metadata: ["table": "\(table ?? "all")", "reason": "\(reason)"]
            )
        }
    }

    private static func metadata(_ day: PartitionDay, _ reason: String) -> Logger.Metadata {
        ["table": "\(day.table)", "day": "\(day.day)", "reason": "\(reason)"]
    }
}
