import Foundation
import Instruments
import Testing

@testable import OpsServer

// One snapshot, two forms: every name that dashboards and alerts rely on is in the metrics, and JSON gives back what it was given.

extension StatusSnapshot {
    /// Every part is filled, with odd names among them.
    static let example: StatusSnapshot = {
        let histogram = Histogram()
        for value in [1, 100, 250, 4_000, 1_000_000] { histogram.record(value) }
        var status = StatusSnapshot()
        status.version = "1.2"
        status.pid = 7
        status.uptimeSeconds = 12.5
        status.queue = "q"
        status.health.primary = .failed("No node is a primary.")
        var lane = Lane(queue: "q", lane: 1, state: "waiting")
        (lane.durable, lane.committed, lane.replicated, lane.trimmed, lane.epoch) = (100, 90, 80, 70, 3)
        lane.oldestUnflushedSeconds = 1.5
        lane.fault = "It's \"away\"."
        status.lanes = [lane, Lane(queue: "old", lane: 0, state: "idle")]
        (status.conservation.accepted, status.conservation.committed) = (100, 88)
        (status.conservation.deadLettered, status.conservation.queued) = (2, 9)
        status.ingest.acceptedEvents = 100
        status.ingest.refusedEvents = ["unknown-field": 4, "bad_json": 5]
        status.ingest.httpRequests = ["200": 10, "503": 1]
        status.ingest.tcpLines = 6
        status.ingest.connections = ["http": 2, "tcp": 1]
        status.ingest.inFlightBytes = 512
        status.ingest.ackMicroseconds = HistogramReading(histogram.snapshot)
        status.disk.bytes = 1024
        status.disk.maxBytes = 4096
        status.disk.isFull = true
        status.disk.groupCommitEvents = HistogramReading(histogram.snapshot)
        status.disk.groupCommitBytes = HistogramReading(histogram.snapshot)
        status.disk.fsyncMicroseconds = HistogramReading(histogram.snapshot)
        status.delivery.committedRows = 88
        status.delivery.flushRows = HistogramReading(histogram.snapshot)
        status.delivery.flushMicroseconds = HistogramReading(histogram.snapshot)
        (status.delivery.claims, status.delivery.fenced) = (3, 1)
        status.delivery.faults = ["connection": 2, "57": 1]
        (status.delivery.deadLettered, status.delivery.deadLetters, status.delivery.parkedEvents) = (2, 1, 1)
        (status.delivery.rewinds, status.delivery.resentRows, status.delivery.lostEvents) = (1, 500, 7)
        var primary = Node(node: "10.0.0.1:5432", state: "primary")
        (primary.isPrimary, primary.timeline) = (true, 3)
        var replica = Node(node: "10.0.0.2:5432", state: "replica")
        (replica.timeline, replica.lagSeconds) = (3, 0.5)
        status.cluster.nodes = [primary, replica]
        (status.cluster.primaryChanges, status.cluster.degradations) = (2, 1)
        status.cluster.replication = "degraded"
        (status.idempotency.keys, status.idempotency.evictedEarly, status.idempotency.repeats) = (11, 12, 13)
        status.process = Usage(ProcessUsage(residentBytes: 1 << 20, cpuSeconds: 0.25, openFiles: 9))
        return status
    }()
}

@Suite struct StatusSnapshotTests {
    static let names = [
        "accepted_events_total", "durable_offset", "committed_offset", "replicated_offset", "trimmed_offset",
        "queued_events",
        "oldest_unflushed_age_seconds", "dead_lettered_events_total", "dead_letters", "parked_events",
        "committed_rows_total",
        "group_commit_events", "group_commit_bytes", "fsync_seconds", "flush_seconds", "flush_rows", "ack_seconds",
        "http_requests_total", "tcp_lines_total", "refused_events_total", "connections", "in_flight_bytes",
        "queue_bytes",
        "queue_max_bytes", "queue_full", "primary_up", "claims_total", "fenced_total", "flush_faults_total",
        "idempotency_keys", "idempotency_evicted_early_total", "repeats_total", "conservation_accepted",
        "conservation_committed", "conservation_dead_lettered", "conservation_queued", "conservation_difference",
        "rewinds_total", "resent_rows_total", "lost_events", "node_state", "node_primary", "node_timeline",
        "node_lag_seconds", "primary_changes_total", "replication_degraded", "degradations_total",
        "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "build_info",
    ]

    @Test func everyNameIsThereOnce() {
        let families = StatusSnapshot.example.metrics.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
            .map { $0.split(separator: " ")[2] }
        #expect(families.sorted() == Self.names.map { "forebay_\($0)" }.sorted().map { $0[...] })
    }

    @Test(arguments: [
        #"forebay_node_state{node="10.0.0.2:5432",state="replica"} 1"#,
        #"forebay_node_primary{node="10.0.0.1:5432"} 1"#, #"forebay_node_lag_seconds{node="10.0.0.2:5432"} 0.5"#,
        "forebay_replication_degraded 1", "forebay_lost_events 7",
        #"forebay_durable_offset{queue="q",lane="1"} 100"#, #"forebay_replicated_offset{queue="q",lane="1"} 80"#,
        #"forebay_queued_events{queue="q",lane="1"} 10"#, #"forebay_queued_events{queue="old",lane="0"} 0"#,
        #"forebay_oldest_unflushed_age_seconds{queue="q",lane="1"} 1.5"#, #"forebay_http_requests_total{code="503"} 1"#,
        #"forebay_refused_events_total{reason="unknown-field"} 4"#, #"forebay_flush_faults_total{class="57"} 1"#,
        "forebay_conservation_difference 1", "forebay_queue_full 1", "forebay_primary_up 0",
        "forebay_fsync_seconds_count 5", "forebay_fsync_seconds_sum 1.004351",
        #"forebay_fsync_seconds_bucket{le="0.000128"} 2"#, #"forebay_group_commit_events_bucket{le="1"} 1"#,
        "forebay_process_cpu_seconds_total 0.25", #"forebay_build_info{version="1.2"} 1"#,
    ])
    func theMetricsHaveTheSnapshotsValues(_ line: String) {
        #expect(StatusSnapshot.example.metrics.split(separator: "\n").contains(line[...]))
    }

    @Test func aLaneThatAsksNoReplicaHasNoReplicatedOffset() {
        #expect(!StatusSnapshot.example.metrics.contains(#"forebay_replicated_offset{queue="old""#))
    }

    @Test func jsonGivesBackWhatItWasGiven() throws {
        for status in [StatusSnapshot(), .example] {
            let text = try StatusCoding.encode(status)
            #expect(try StatusCoding.decode(StatusSnapshot.self, from: Data(text.utf8)) == status)
        }
    }

    @Test func aCommittedOffsetAheadOfTheDurableOneQueuesNothing() {
        var lane = StatusSnapshot.Lane(queue: "q", lane: 0, state: "held")
        lane.committed = 5
        #expect(lane.queued == 0)
    }
}
