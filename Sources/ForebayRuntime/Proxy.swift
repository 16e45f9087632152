import Delivery
import DurableQueue
import IngestServer
import LibPQClient
package import Logging
import NIOCore
import NIOPosix
import OpsServer
import Records
import SegmentedLog
import ServiceLifecycle
import Synchronization
import Topology
import UnixSignals

/// The whole proxy, wired: the only place that sees both the listeners and the database.
///
/// Order of the start: queue, cached tables, flushers, listeners; PostgreSQL is needed for none of them. Order of the shutdown: listeners (what
/// was begun is answered), flushers (the flush that is under way ends), queue (what waits is stored and synced).
package struct Proxy: Service {
    private let configuration: ForebayConfiguration
    /// Of the process: encryption keys may stand in it.
    private let environment: [String: String]
    private let log: Logger
    private let drain: Drain?

    /// An order to take nothing in, and to end when nothing is left.
    private struct Drain {
        var timeout: Duration?
        var told: @Sendable (DrainWatch.Rest) -> Void
    }

    /// How long requests that were begun may take to be answered at shutdown, and then a flush to end.
    private static let grace = Duration.seconds(10)

    package init(_ configuration: ForebayConfiguration, environment: [String: String], log: Logger) {
        self.init(configuration, environment: environment, log: log, drain: nil)
    }

    private init(_ configuration: ForebayConfiguration, environment: [String: String], log: Logger, drain: Drain?) {
        self.configuration = configuration
        self.environment = environment
        self.log = log
        self.drain = drain
    }

    /// Runs until SIGTERM or SIGINT, or until a part can't go on.
    package static func serve(
        _ configuration: ForebayConfiguration,
        environment: [String: String],
        log: Logger
    ) async throws {
        var fitted = configuration
        if let warning = fitted.fit(openFiles: OpenFiles.raiseLimit()) { log.warning("\(warning)") }
        try await run(Proxy(fitted, environment: environment, log: log))
    }

    /// What a drain left.
    package struct Rest: Hashable, Sendable {
        /// Rows that are not on the primary and on all required replicas.
        package var rows: Int
        /// Dead letters that are pending.
        package var letters: Int
        /// Why rows are left.
        package var reasons: [String]
    }

    /// Delivers what is in the queue, and takes nothing in. Returns when nothing is left, when the time is over, or after SIGTERM or SIGINT. See <doc:Draining>.
    package static func drain(
        _ configuration: ForebayConfiguration,
        environment: [String: String],
        log: Logger,
        within timeout: Duration?
    ) async throws -> Rest {
        var closed = configuration
        closed.ingest.http = []
        closed.ingest.tcp = []
        closed.read.listen = []
        let rest = Mutex(DrainWatch.Rest())
        let drain = Drain(timeout: timeout) { found in rest.withLock { $0 = found } }
        try await run(Proxy(closed, environment: environment, log: log, drain: drain))
        let found = rest.withLock { $0 }
        return Rest(rows: found.rows, letters: found.letters, reasons: found.reasons)
    }

    private static func run(_ proxy: Proxy) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: proxy, successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: quiet(proxy.log)
            )
        )
        try await group.run()
    }

    private static func quiet(_ log: Logger) -> Logger {
        var log = log
        log.logLevel = max(log.logLevel, .warning)
        return log
    }

    package func run() async throws {
        let begun = ContinuousClock.now
        let queue = try DurableQueue.open(
            configuration.queueConfiguration(environment: environment),
            log: named("queue")
        )
        report(queue.recovery)
        let deadLetters = try DeadLetterCabinet.open(queue, log: named("dead-letters"))
        let streams = StreamRegistry(configuration.streams)
        let connection = configuration.writerConnection
        let nodes = configuration.nodeAddresses
        let required = configuration.requiredReplicas
        let journal = DeliveryJournal(
            queue: queue,
            deadLetters: deadLetters,
            trimsAtCommit: required == 0,
            log: named("delivery")
        )
        let watch = ClusterWatch(
            ClusterWatch.Settings(
                cluster: ClusterMachine.Settings(
                    nodes: nodes,
                    required: required,
                    adoptsByItself: configuration.retention.onRestore == .replay,
                    degrades: configuration.retention.onLostReplica == .degrade
                ),
                timeout: min(configuration.postgres.connectTimeout, ClusterView.freshness - .seconds(1))
            ),
            queue: queue,
            journal: journal,
            log: named("cluster")
        )
        let upkeep = Upkeep(
            primaries: watch,
            connection: connection,
            streams: streams,
            queue: queue,
            deadLetters: deadLetters,
            log: named("upkeep")
        )
        upkeep.useCache()

        let renewal = try Renewal(queue, journal: journal, log: named("renewal"))
        let crew = LaneCrew(queue)
        let surroundings = LaneWorker.Surroundings(
            primaries: watch,
            connection: connection,
            deadlines: configuration.flushDeadlines,
            settings: configuration.deliverySettings,
            deadLetters: deadLetters,
            journal: journal,
            renewal: renewal,
            streams: streams,
            // When PostgreSQL is back, the first lane to find out spares the others the rest of their pauses.
            claimed: { crew.doorIsOpen(besides: $0) },
            // If the table was changed, new rows are to be encoded for what it is now.
            parked: { upkeep.hurry() },
            committed: { queue.progress(of: $0)?.committed ?? .none },
            undecided: { queue.undecided(of: $0) },
            horizon: { watch.horizon(of: $0) }
        )
        try crew.startMissing(surroundings)
        try renewal.start(begin: { try crew.startMissing(surroundings) }, retire: { crew.retire($0) })
        try upkeep.start()
        try watch.start(connection: connection) { choice in
            switch choice {
            case .primary(let node, _, _):
                crew.primaryChanged(to: node)
                upkeep.hurry()
            case .none(let obstacle):
                // One that merely does not answer keeps its connections: it may be slow.
                if obstacle.forbidsWriting { crew.primaryChanged(to: nil) }
            }
        }

        let tokens = try configuration.tokens(log: named("tokens"))
        let lastWrites = LastWrites(configuration.read)
        let backend = QueueBackend(
            queue: queue,
            streams: streams,
            tokens: tokens,
            tracksReplicas: required > 0,
            lastWrites: lastWrites,
            hurry: { crew.hurry(to: $0) }
        )
        let instruments = IngestInstruments()
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: Self.eventLoops(System.coreCount))
        for loop in loops.makeIterator() {
            loop.execute { ThreadPace.urgent.adopt() }
        }
        let ingest = try await IngestServer.start(
            configuration: configuration.ingestConfiguration,
            backend: backend,
            eventLoopGroup: loops,
            instruments: instruments,
            logger: named("ingest")
        )
        log.notice(
            "ingest accepts",
            metadata: [
                "http": "\(ingest.addresses.http.map(\.description).joined(separator: ","))",
                "tcp": "\(ingest.addresses.tcp.map(\.description).joined(separator: ","))",
                "queue": "\(queue.id)",
                "after": "\(ContinuousClock.now - begun)",
            ]
        )
        let reads = try await ReadDesk.open(
            configuration,
            watch: watch,
            lastWrites: lastWrites,
            claims: {
                let epochs = queue.lanes.active.map { ($0, journal.record(of: $0).epoch) }
                return Dictionary(uniqueKeysWithValues: epochs.filter { $0.1 > 0 })
            },
            eventLoops: Self.eventLoops(System.coreCount),
            log: named("read")
        )
        let collector = StatusCollector(
            queue: queue,
            backend: backend,
            streams: streams,
            journal: journal,
            instruments: instruments,
            deadLetters: deadLetters,
            tracksReplicas: required > 0,
            watch: watch,
            crew: crew,
            reads: reads
        )
        let readTokens = try configuration.readTokens(log: named("tokens"))
        let ops = OpsServer(
            host: configuration.ops.listen.host,
            port: configuration.ops.listen.port,
            backend: collector,
            queries: reads.map { QueryDesk(port: $0.port, users: $0.users, tokens: readTokens, configuration.read) },
            logger: named("ops")
        )

        var services: [any Service] = [ops]
        if let tokens { services.append(tokens) }
        if let readTokens { services.append(readTokens) }
        if let reads { services.append(reads.users) }
        let drained = drain.map { DrainWatch(queue, deadLetters.log, journal, within: $0.timeout) }
        if let drained { services.append(drained) }
        let failure = await Self.untilShutdown(services) {
            if let drain, let drained { drain.told(drained.rest) }
            log.notice("stopping: no new requests are taken")
            backend.close()
            async let readsClosed: Void? = reads?.close(grace: Self.grace)
            await ingest.shutdown(grace: Self.grace)
            await readsClosed
            crew.stop(grace: Self.grace)
            renewal.stop()
            watch.stop()
            upkeep.stop()
            queue.close()
        }
        try await reads?.endLoops()
        try await loops.shutdownGracefully()
        if let failure { throw failure }
        log.notice("stopped; what was not delivered waits in the queue")
    }

    /// One loop for two processors: the lanes' threads, the flushers and the kernel need the others, and what one loop reads
    /// at once becomes one group commit.
    static func eventLoops(_ processors: Int) -> Int { max(1, processors / 2) }

    /// Runs the services until a graceful shutdown has been asked for and `shutdown` is done. Returns why one failed, if one did.
    private static func untilShutdown(
        _ services: [any Service],
        _ shutdown: @escaping @Sendable () async -> Void
    ) async -> (any Error)? {
        await withTaskGroup(of: (any Error)?.self) { group in
            for service in services {
                group.addTask {
                    do {
                        try await service.run()
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            group.addTask {
                // Ends by cancellation when the ops port could not be opened.
                try? await gracefulShutdown()
                return nil
            }
            let first = await group.next() ?? nil
            await shutdown()
            group.cancelAll()
            return first
        }
    }

    private func named(_ part: String) -> Logger {
        var named = Logger(label: part)
        named.logLevel = log.logLevel
        return named
    }

    private func report(_ reports: [LaneRecovery.Report]) {
        for report in reports {
            log.info("recovered", metadata: ["report": "\(report)"])
        }
    }
}
