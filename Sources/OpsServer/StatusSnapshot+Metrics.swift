import Instruments

extension StatusSnapshot {
    /// The snapshot as Prometheus scrapes it.
    package var metrics: String {
        var text = MetricsText(prefix: "forebay_")
        lanes(into: &text)
        conservation(into: &text)
        ingest(into: &text)
        disk(into: &text)
        delivery(into: &text)
        cluster(into: &text)
        if let reads { self.reads(reads, into: &text) }
        idempotency(into: &text)
        process(into: &text)
        return text.text
    }

    private func lanes(into text: inout MetricsText) {
        func each(_ name: String, _ help: String, _ value: (Lane) -> MetricsText.Value?) {
            text.family(
                name,
                .gauge,
                help,
                lanes.compactMap { lane in value(lane).map { (["queue": lane.queue, "lane": String(lane.lane)], $0) } }
            )
        }
        each("durable_offset", "Last offset on disk and acknowledged.") { .unsigned($0.durable) }
        each("committed_offset", "Last offset in the primary's ledger.") { .unsigned($0.committed) }
        each("replicated_offset", "Last offset that every required replica shows.") {
            $0.replicated.map(MetricsText.Value.unsigned)
        }
        each("trimmed_offset", "Last offset deleted from disk.") { .unsigned($0.trimmed) }
        each("queued_events", "Events on disk that are not committed.") { .unsigned($0.queued) }
        each("oldest_unflushed_age_seconds", "Age of the oldest event that is not committed.") {
            .fraction($0.oldestUnflushedSeconds)
        }
    }

    private func conservation(into text: inout MetricsText) {
        let law = conservation
        let help = "Conservation law, over the life of the queue directory:"
        text.single("conservation_accepted", .gauge, "\(help) events accepted.", .whole(Int(law.accepted)))
        text.single("conservation_committed", .gauge, "\(help) events committed.", .whole(Int(law.committed)))
        text.single(
            "conservation_dead_lettered",
            .gauge,
            "\(help) events dead-lettered.",
            .whole(Int(law.deadLettered))
        )
        text.single("conservation_queued", .gauge, "\(help) events queued.", .whole(Int(law.queued)))
        text.single(
            "conservation_difference",
            .gauge,
            "\(help) accepted less committed, dead-lettered and queued; must be 0.",
            .whole(Int(law.difference))
        )
    }

    private func ingest(into text: inout MetricsText) {
        text.single(
            "accepted_events_total",
            .counter,
            "Events on disk and acknowledged.",
            .whole(ingest.acceptedEvents)
        )
        text.family(
            "refused_events_total",
            .counter,
            "Events refused at the door.",
            labelled("reason", ingest.refusedEvents)
        )
        text.family(
            "http_requests_total",
            .counter,
            "Answers over HTTP by status code.",
            labelled("code", ingest.httpRequests)
        )
        text.single("tcp_lines_total", .counter, "Lines over TCP.", .whole(ingest.tcpLines))
        text.family("connections", .gauge, "Open connections of agents.", labelled("listener", ingest.connections))
        text.single("in_flight_bytes", .gauge, "Bytes of requests in memory.", .whole(ingest.inFlightBytes))
        text.histogram(
            "ack_seconds",
            "Time from the last byte of a request to its answer.",
            ingest.ackMicroseconds.snapshot,
            scale: .microseconds,
            buckets: Self.times
        )
    }

    private func disk(into text: inout MetricsText) {
        text.single("queue_bytes", .gauge, "Bytes that the queue takes on disk.", .whole(disk.bytes))
        text.single("queue_max_bytes", .gauge, "Bytes that the queue may take on disk.", .whole(disk.maxBytes))
        text.single("queue_full", .gauge, "1 if ingest is refused for want of space.", .whole(disk.isFull ? 1 : 0))
        text.histogram(
            "group_commit_events",
            "Events per group commit.",
            disk.groupCommitEvents.snapshot,
            scale: .units,
            buckets: 1...20
        )
        text.histogram(
            "group_commit_bytes",
            "Bytes written per group commit.",
            disk.groupCommitBytes.snapshot,
            scale: .units,
            buckets: 8...28
        )
        text.histogram(
            "fsync_seconds",
            "Time of a sync of the disk.",
            disk.fsyncMicroseconds.snapshot,
            scale: .microseconds,
            buckets: Self.times
        )
    }

    private func delivery(into text: inout MetricsText) {
        text.single("primary_up", .gauge, "1 if there is a primary.", .whole(health.primary.ok ? 1 : 0))
        text.single("committed_rows_total", .counter, "Rows committed to PostgreSQL.", .whole(delivery.committedRows))
        text.histogram(
            "flush_rows",
            "Rows per flush.",
            delivery.flushRows.snapshot,
            scale: .units,
            buckets: 1...24
        )
        text.histogram(
            "flush_seconds",
            "Time of a flush, COMMIT included.",
            delivery.flushMicroseconds.snapshot,
            scale: .microseconds,
            buckets: Self.times
        )
        text.single("claims_total", .counter, "Claims of lanes on a primary.", .whole(delivery.claims))
        text.single("fenced_total", .counter, "Claims lost to another session.", .whole(delivery.fenced))
        text.single("rewinds_total", .counter, "Claims that found the ledger further back.", .whole(delivery.rewinds))
        text.single(
            "resent_rows_total",
            .counter,
            "Rows that a failover or a restore took back and that were sent again.",
            .whole(delivery.resentRows)
        )
        text.single(
            "lost_events",
            .gauge,
            "Events that can't be delivered any more, or are skipped by order, until their letters are discarded.",
            .whole(delivery.lostEvents)
        )
        text.family(
            "flush_faults_total",
            .counter,
            "Flushes that failed, by class.",
            labelled("class", delivery.faults)
        )
        text.single(
            "dead_lettered_events_total",
            .counter,
            "Events that went to the dead-letter store.",
            .whole(delivery.deadLettered)
        )
        text.single("dead_letters", .gauge, "Dead-lettered events, parked ones aside.", .whole(delivery.deadLetters))
        text.single("parked_events", .gauge, "Events set aside with their stream.", .whole(delivery.parkedEvents))
    }

    private func cluster(into text: inout MetricsText) {
        func each(_ name: String, _ help: String, _ value: (Node) -> MetricsText.Value?) {
            text.family(
                name,
                .gauge,
                help,
                cluster.nodes.compactMap { node in value(node).map { (["node": node.node], $0) } }
            )
        }
        text.family(
            "node_state",
            .gauge,
            "1, with the state as a label.",
            cluster.nodes.map { (["node": $0.node, "state": $0.state], .whole(1)) }
        )
        each("node_primary", "1 for the node that is written to.") { .whole($0.isPrimary ? 1 : 0) }
        each("node_timeline", "Timeline that the node last told.") { $0.timeline.map { .whole($0) } }
        each("node_lag_seconds", "Replay lag that the node last told.") { $0.lagSeconds.map { .fraction($0) } }
        each("node_answer_seconds", "How long its last answer took.") { $0.answerSeconds.map { .fraction($0) } }
        text.single(
            "primary_changes_total",
            .counter,
            "How often another node became the one that is written to.",
            .whole(cluster.primaryChanges)
        )
        text.single(
            "replication_degraded",
            .gauge,
            "1 if the budget was used up and a required replica was left behind.",
            .whole(cluster.replication == "degraded" ? 1 : 0)
        )
        text.single(
            "degradations_total",
            .counter,
            "How often a required replica was left behind.",
            .whole(cluster.degradations)
        )
    }

    private func reads(_ reads: Reads, into text: inout MetricsText) {
        text.single("read_clients", .gauge, "Clients of the read port.", .whole(reads.clients))
        text.single("read_clients_waiting", .gauge, "Of these, waiting for a node.", .whole(reads.waiting))
        let counters: [(String, String, Int)] = [
            ("read_clients_accepted_total", "Connections to the read port.", reads.clientsAccepted),
            ("read_clients_refused_total", "Connections beyond a limit.", reads.clientsRefused),
            ("read_logins_failed_total", "Logins to the read port that failed.", reads.loginsFailed),
            ("read_transactions_total", "Times a client was given a connection to a node.", reads.transactions),
            ("read_primary_total", "Of these, to the primary.", reads.primaryReads),
            ("read_reruns_total", "Statements that were run again on another node.", reads.reruns),
            ("read_refusals_total", "Transactions that found no node in time.", reads.refusals),
            ("read_pins_total", "Sessions that kept their connection to a node.", reads.pins),
            ("read_cancels_total", "Cancel requests that were passed on.", reads.cancels),
            ("read_backend_faults_total", "Connections to nodes closed for doubt.", reads.backendFaults),
        ]
        for (name, help, value) in counters { text.single(name, .counter, help, .whole(value)) }
        text.histogram(
            "read_wait_seconds",
            "Time that a transaction waited for a connection, where it had to.",
            reads.waitMicroseconds.snapshot,
            scale: .microseconds,
            buckets: Self.times
        )
        func each(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: (ReadNode) -> Int) {
            text.family(name, kind, help, reads.nodes.map { (["node": $0.node], .whole(value($0))) })
        }
        text.family(
            "read_node_standing",
            .gauge,
            "1, with what the node counts as for readers as a label.",
            reads.nodes.map { (["node": $0.node, "standing": $0.standing], .whole(1)) }
        )
        each("read_node_in_use", .gauge, "Connections to the node that clients hold.") { $0.inUse }
        each("read_node_idle", .gauge, "Connections to the node that nobody holds.") { $0.idle }
        each("read_node_opened_total", .counter, "Connections to the node that were opened.") { $0.opened }
        each("read_node_failed_total", .counter, "Connections to the node that could not be opened.") { $0.failed }
    }

    private func idempotency(into text: inout MetricsText) {
        text.single("idempotency_keys", .gauge, "Idempotency keys remembered.", .whole(idempotency.keys))
        text.single(
            "idempotency_evicted_early_total",
            .counter,
            "Idempotency keys forgotten before their window had passed.",
            .whole(idempotency.evictedEarly)
        )
        text.single("repeats_total", .counter, "Requests answered as a repeat.", .whole(idempotency.repeats))
    }

    private func process(into text: inout MetricsText) {
        text.single("process_resident_memory_bytes", .gauge, "Memory in use.", .whole(process.residentBytes))
        text.single("process_cpu_seconds_total", .counter, "CPU time of all threads.", .fraction(process.cpuSeconds))
        text.single("process_open_fds", .gauge, "Open file descriptors.", .whole(process.openFiles))
        text.family("build_info", .gauge, "1, with the version as a label.", [(["version": version], .whole(1))])
    }

    /// 16 µs to 67 s.
    private static let times = 4...26

    private func labelled(_ label: String, _ counts: [String: Int]) -> [(MetricsText.Labels, MetricsText.Value)] {
        counts.sorted { $0.key < $1.key }.map { ([label: $0.key], .whole($0.value)) }
    }
}
