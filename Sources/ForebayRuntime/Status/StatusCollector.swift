import DurableQueue
import Glibc
import IngestServer
import Instruments
import OpsServer
import ReadProxy
import Records
import SegmentedLog
import Topology

/// Puts together what the ops port shows.
final class StatusCollector: OpsBackend, Sendable {
    private let queue: DurableQueue
    private let backend: QueueBackend
    private let streams: StreamRegistry
    private let journal: DeliveryJournal
    private let instruments: IngestInstruments
    private let deadLetters: DeadLetterCabinet
    private let office: LetterOffice
    private let tracksReplicas: Bool
    private let watch: ClusterWatch
    private let crew: LaneCrew
    private let reads: ReadDesk?
    private let clock = MonotonicClock()
    private let started: Duration

    init(
        queue: DurableQueue,
        backend: QueueBackend,
        streams: StreamRegistry,
        journal: DeliveryJournal,
        instruments: IngestInstruments,
        deadLetters: DeadLetterCabinet,
        tracksReplicas: Bool,
        watch: ClusterWatch,
        crew: LaneCrew,
        reads: ReadDesk?
    ) {
        self.queue = queue
        self.backend = backend
        self.streams = streams
        self.journal = journal
        self.instruments = instruments
        self.deadLetters = deadLetters
        office = LetterOffice(deadLetters.log, queue)
        self.tracksReplicas = tracksReplicas
        self.watch = watch
        self.crew = crew
        self.reads = reads
        started = clock.now
    }

    func ingestCheck() async -> OpsCheck {
        switch backend.intake {
        case .accepting: return .passed
        case .full:
            return .failed("the disk budget, or the disk, is used up; accepting resumes when the backlog has drained")
        case .failed(let reason): return .failed("the queue takes no writes: \(reason)")
        case .closing: return .failed("shutting down")
        }
    }

    func streamsCheck() async -> OpsCheck {
        guard let waiting = streams.waiting.first else { return .passed }
        return .failed("the stream \(waiting.stream) is not ready: \(waiting.reason)")
    }

    func resumeLanes(_ request: LaneResumption) async throws(OpsFault) -> LaneReport {
        try ResumeDesk(crew: crew, journal: journal, watch: watch).resume(request)
    }

    func primaryCheck() async -> OpsCheck {
        if case .none(let obstacle) = watch.choice { return .failed("\(obstacle)") }
        for lane in queue.lanes.active {
            let record = journal.record(of: lane)
            if record.ledger == nil || record.fault != nil {
                return .failed(record.fault ?? "lane \(lane.lane) has not reached a primary yet")
            }
        }
        return .passed
    }

    func status() async -> StatusSnapshot {
        let state = queue.status()
        var snapshot = StatusSnapshot()
        snapshot.version = ForebayVersion.current
        snapshot.uptimeSeconds = (clock.now - started) / .seconds(1)
        snapshot.queue = state.id.description
        snapshot.health.ingest = await ingestCheck()
        snapshot.health.streams = await streamsCheck()
        snapshot.health.primary = await primaryCheck()
        for progress in state.lanes {
            let record = journal.record(of: progress.key)
            snapshot.lanes.append(lane(progress, record))
            guard record.ledger != nil else {
                // Before the first claim nobody knows how much of the lane is in the database: it all counts as queued.
                snapshot.conservation.accepted += Int64(progress.durable.rawValue)
                snapshot.conservation.queued += Int64(progress.durable.rawValue)
                continue
            }
            snapshot.conservation.accepted += Int64(progress.durable.rawValue)
            snapshot.conservation.committed += Int64(record.committedRows)
            snapshot.conservation.deadLettered += Int64(record.deadRows)
            snapshot.conservation.queued += Int64(progress.committed.distance(to: progress.durable))
        }
        fillIngest(&snapshot.ingest)
        fillDisk(&snapshot.disk, state)
        fillDelivery(&snapshot.delivery)
        fillCluster(&snapshot.cluster)
        snapshot.reads = reads.map(readStatus)
        snapshot.idempotency.keys = state.knownKeys
        snapshot.idempotency.evictedEarly = queue.metrics.forgottenKeys.value
        snapshot.idempotency.repeats = queue.metrics.repeatedRequests.value
        snapshot.process = StatusSnapshot.Usage(.current())
        return snapshot
    }

    private func lane(_ progress: LaneProgress, _ record: DeliveryJournal.LaneRecord) -> StatusSnapshot.Lane {
        let isIdle = record.state == "delivering" && progress.backlog == 0
        let state = progress.readOnlyReason == nil ? (isIdle ? "idle" : record.state) : "read-only"
        var lane = StatusSnapshot.Lane(
            queue: progress.key.queue.description,
            lane: Int(progress.key.lane.rawValue),
            state: progress.isDraining ? "draining, \(state)" : state
        )
        lane.epoch = record.epoch
        lane.durable = progress.durable.rawValue
        lane.committed = progress.committed.rawValue
        lane.replicated = tracksReplicas ? progress.replicated.rawValue : nil
        lane.trimmed = progress.trimmed.rawValue
        lane.oldestUnflushedSeconds = progress.oldestUncommitted.map { max(0, $0 / .seconds(1)) } ?? 0
        lane.fault = progress.readOnlyReason ?? record.fault
        return lane
    }

    private func fillIngest(_ ingest: inout StatusSnapshot.Ingest) {
        ingest.acceptedEvents = queue.metrics.acceptedEvents.value
        ingest.refusedEvents = ["invalid": instruments.eventsRefused.value]
        ingest.httpRequests = [
            "2xx": instruments.succeeded.value, "4xx": instruments.refused.value, "5xx": instruments.failed.value,
        ]
        ingest.tcpLines = instruments.linesReceived.value
        ingest.connections = ["all": instruments.connections.value]
        ingest.inFlightBytes = instruments.inFlightBytes.value
        ingest.ackMicroseconds = HistogramReading(instruments.ackLatency.snapshot)
    }

    private func fillDisk(_ disk: inout StatusSnapshot.Disk, _ state: QueueStatus) {
        disk.bytes = state.usedBytes
        disk.maxBytes = state.limitBytes
        disk.isFull = !state.fullLanes.isEmpty
        disk.groupCommitEvents = HistogramReading(queue.metrics.commitEvents.snapshot)
        disk.groupCommitBytes = HistogramReading(queue.metrics.commitBytes.snapshot)
        disk.fsyncMicroseconds = HistogramReading(queue.metrics.syncLatency.snapshot)
    }

    private func fillCluster(_ cluster: inout StatusSnapshot.Cluster) {
        let choice = watch.choice
        cluster.primary = choice.node?.description
        if case .none(let obstacle) = choice { cluster.obstacle = "\(obstacle)" }
        cluster.systemIdentifier = watch.memory.map { String($0.systemIdentifier) }
        cluster.timeline = watch.memory?.timeline
        cluster.replication = tracksReplicas ? watch.replication.rawValue : "not asked for"
        cluster.primaryChanges = watch.primaryChanges.value
        cluster.degradations = watch.degradations.value
        cluster.nodes = watch.sightings.map { entry in
            var node = StatusSnapshot.Node(node: entry.node.description, state: entry.standing.word)
            node.isPrimary = entry.node == choice.node
            guard let sighting = entry.sighting else {
                node.state = "not asked yet"
                return node
            }
            node.ageSeconds = entry.age / .seconds(1)
            switch sighting.observation.state {
            case .failure(let fault):
                node.state = fault.kind.rawValue
                node.reason = fault.text
            case .success(let state):
                if entry.standing == .away {
                    node.state = "hung"
                    node.reason = "no answer for \(Int(node.ageSeconds)) s"
                } else if entry.standing == .foreign {
                    node.reason =
                        "its system identifier is \(state.systemIdentifier), not that of the cluster that is remembered"
                } else if state.isSlow {
                    node.isSlow = true
                    node.reason = "slow: its answer took \(Int(state.answerTime / .milliseconds(1))) ms"
                }
                node.answerSeconds = state.answerTime / .seconds(1)
                node.timeline = state.timeline
                node.position = "\(state.position)"
                node.lagSeconds = state.replayLag.map { $0 / .seconds(1) }
                node.isReceiving = state.isInRecovery ? state.isReceiving : nil
                node.ledger = Dictionary(
                    uniqueKeysWithValues: (state.ledger ?? [:]).map { lane, row in
                        ("\(lane)", StatusSnapshot.ShownLedger(epoch: row.epoch, position: row.position.rawValue))
                    }
                )
            }
            return node
        }
    }

    private func readStatus(_ desk: ReadDesk) -> StatusSnapshot.Reads {
        let instruments = desk.port.instruments
        var reads = StatusSnapshot.Reads()
        reads.clients = instruments.clients.value
        reads.clientsAccepted = instruments.clientsAccepted.value
        reads.clientsRefused = instruments.clientsRefused.value
        reads.loginsFailed = instruments.loginsFailed.value
        reads.waiting = instruments.waiting.value
        reads.transactions = instruments.transactions.value
        reads.primaryReads = instruments.primaryReads.value
        reads.reruns = instruments.reruns.value
        reads.refusals = instruments.refusals.value
        reads.pins = instruments.pins.value
        reads.cancels = instruments.cancels.value
        reads.backendFaults = instruments.backendFaults.value
        reads.waitMicroseconds = HistogramReading(instruments.waits.snapshot)
        let standings = desk.routes.standings
        reads.nodes = zip(watch.sightings, instruments.nodes).enumerated().map { index, entry in
            let standing = index < standings.count ? standings[index].rawValue : "away"
            var node = StatusSnapshot.ReadNode(node: entry.0.node.description, standing: standing)
            node.inUse = entry.1.inUse.value
            node.idle = entry.1.idle.value
            node.opened = entry.1.opened.value
            node.failed = entry.1.failed.value
            return node
        }
        return reads
    }

    private func fillDelivery(_ delivery: inout StatusSnapshot.Delivery) {
        delivery.committedRows = journal.committedRows.value
        delivery.flushRows = HistogramReading(journal.flushRows.snapshot)
        delivery.flushMicroseconds = HistogramReading(journal.flushMicroseconds.snapshot)
        delivery.claims = journal.claims.value
        delivery.fenced = journal.fenced.value
        delivery.rewinds = journal.rewinds.value
        delivery.resentRows = journal.resentRows.value
        delivery.faults = journal.faultCounts
        delivery.deadLettered = journal.deadLettered.value
        let letters = deadLetters.log.summary
        delivery.deadLetters = letters.poisonEvents + letters.unreadableEvents
        delivery.parkedEvents = letters.parkedEvents
        delivery.lostEvents = letters.unreadableEvents
    }

    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        crew.tryParkedStreams()
        return try await office.retry(choice)
    }

    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport {
        try await office.discard(choice)
    }
}

extension PrimaryChoice.Standing {
    /// As the status and the metrics name it.
    var word: String {
        switch self {
        case .away: "away"
        case .foreign: "wrong cluster"
        case .replica: "replica"
        case .untold: "primary without a timeline"
        case .abandoned: "abandoned primary"
        case .writer: "primary"
        }
    }
}
