import Instruments
import OpsServer

/// A status as a person reads it in a terminal.
struct StatusTable {
    private let now: StatusSnapshot
    private let before: StatusSnapshot?

    /// - Parameter before: an earlier status of the same proxy, for rates; without it they are left out.
    init(_ now: StatusSnapshot, before: StatusSnapshot?) {
        self.now = now
        self.before = before?.pid == now.pid && before?.queue == now.queue ? before : nil
    }

    var text: String {
        var lines = [
            "Forebay \(now.version), process \(now.pid), up \(span(now.uptimeSeconds)), queue \(now.queue)",
            health,
            "",
            "accepted \(whole(now.ingest.acceptedEvents))\(rate(\.ingest.acceptedEvents))"
                + "   committed \(whole(now.delivery.committedRows))\(rate(\.delivery.committedRows))"
                + "   queued \(whole(Int(now.conservation.queued)))"
                + "   dead letters \(whole(now.delivery.deadLetters))"
                + "   parked \(whole(now.delivery.parkedEvents))",
            "disk \(size(now.disk.bytes)) of \(size(now.disk.maxBytes))\(now.disk.isFull ? " (full)" : "")"
                + "   memory \(size(now.process.residentBytes))"
                + "   connections \(whole(now.ingest.connections.values.reduce(0, +)))",
            "answer \(times(now.ingest.ackMicroseconds))   sync \(times(now.disk.fsyncMicroseconds))"
                + "   flush \(times(now.delivery.flushMicroseconds))",
            "",
        ]
        lines += table(
            ["lane", "state", "epoch", "durable", "committed", "replicated", "trimmed", "queued", "oldest"],
            now.lanes.map { lane in
                [
                    lane.queue == now.queue ? "\(lane.lane)" : "\(lane.queue.prefix(8)).\(lane.lane)",
                    lane.state,
                    "\(lane.epoch)",
                    "\(lane.durable)",
                    "\(lane.committed)",
                    lane.replicated.map { "\($0)" } ?? "-",
                    "\(lane.trimmed)",
                    "\(lane.queued)",
                    span(lane.oldestUnflushedSeconds),
                ]
            }
        )
        for lane in now.lanes {
            if let fault = lane.fault { lines.append("lane \(lane.lane): \(fault)") }
        }
        if !now.cluster.nodes.isEmpty { lines += [""] + nodes }
        if let reads = now.reads { lines += [""] + table(of: reads) }
        if now.delivery.lostEvents > 0 {
            lines.append(
                "\(whole(now.delivery.lostEvents)) events are lost or were skipped by order: see forebay dlq ls"
            )
        }
        return lines.map { "\($0)\n" }.joined()
    }

    /// The nodes of PostgreSQL; of the ledger each one's least advanced lane counts, as the distance to the primary's position.
    private var nodes: [String] {
        let primary = now.cluster.nodes.first { $0.isPrimary }
        var lines = table(
            ["node", "state", "timeline", "position", "lag", "ledger behind"],
            now.cluster.nodes.map { node in
                let behind = primary?.ledger.map { lane, row in
                    Int(row.position) - Int(node.ledger[lane]?.position ?? 0)
                }.max()
                return [
                    node.node,
                    node.state + (node.isPrimary ? ", written to" : "") + (node.isSlow ? ", slow" : ""),
                    node.timeline.map { "\($0)" } ?? "-", node.position ?? "-", node.lagSeconds.map(span) ?? "-",
                    node.timeline == nil ? "-" : behind.map { whole($0) } ?? "-",
                ]
            }
        )
        for node in now.cluster.nodes {
            if let reason = node.reason { lines.append("\(node.node): \(reason)") }
        }
        if let obstacle = now.cluster.obstacle { lines.append("no primary: \(obstacle)") }
        if now.cluster.replication == "holding" {
            lines.append("a required replica is behind: the queue keeps what it lacks, up to max_bytes")
        }
        if now.cluster.replication == "degraded" {
            lines.append("DEGRADED: the budget was used up, and what the primary alone holds is trimmed")
        }
        return lines
    }

    private func table(of reads: StatusSnapshot.Reads) -> [String] {
        [
            "reads: clients \(whole(reads.clients)), waiting \(whole(reads.waiting))"
                + "   transactions \(whole(reads.transactions)), on the primary \(whole(reads.primaryReads))"
                + "   run again \(whole(reads.reruns))   refused \(whole(reads.refusals))"
        ]
            + table(
                ["node", "for readers", "in use", "idle", "opened", "failed"],
                reads.nodes.map { node in
                    [
                        node.node, node.standing, whole(node.inUse), whole(node.idle), whole(node.opened),
                        whole(node.failed),
                    ]
                }
            )
    }

    private var health: String {
        var reasons = now.health.troubles
        let difference = now.conservation.difference
        if difference != 0 { reasons.append("\(difference) events are unaccounted for") }
        return reasons.isEmpty ? "ready" : "DEGRADED: " + reasons.joined(separator: "; ")
    }

    private func rate(_ count: KeyPath<StatusSnapshot, Int>) -> String {
        guard let before, now.uptimeSeconds > before.uptimeSeconds else { return "" }
        let events = Double(now[keyPath: count] - before[keyPath: count])
        return " (\(Int(events / (now.uptimeSeconds - before.uptimeSeconds)))/s)"
    }

    private func times(_ reading: HistogramReading) -> String {
        guard let half = reading.snapshot.quantile(0.5), let most = reading.snapshot.quantile(0.99) else { return "-" }
        return "p50 \(span(half / 1_000_000)) p99 \(span(most / 1_000_000))"
    }

    /// The first two columns stand left, numbers right.
    private func table(_ head: [String], _ rows: [[String]]) -> [String] {
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
        return ([head] + rows).map { row in
            let cells = row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column < 2 ? row[column] + padding : padding + row[column]
            }
            return cells.joined(separator: "  ")
        }
    }

    private func whole(_ number: Int) -> String {
        let digits = String(abs(number))
        var grouped = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { grouped.append(",") }
            grouped.append(digit)
        }
        return number < 0 ? "-\(grouped)" : grouped
    }

    private func size(_ bytes: Int) -> String {
        for (name, unit) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= unit
        {
            return "\(tenths(Double(bytes) / Double(unit))) \(name)"
        }
        return "\(bytes) B"
    }

    private func span(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.000001: "0"
        case ..<0.001: "\(Int(seconds * 1_000_000))µs"
        case ..<1: "\(tenths(seconds * 1_000))ms"
        case ..<120: "\(tenths(seconds))s"
        case ..<7_200: "\(Int(seconds / 60))m"
        case ..<172_800: "\(Int(seconds / 3_600))h"
        default: "\(Int(seconds / 86_400))d"
        }
    }

    private func tenths(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
