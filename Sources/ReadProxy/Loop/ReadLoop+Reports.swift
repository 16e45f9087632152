import Instruments
import NIOCore
import PostgresWire
import Records
import Topology

/// What `SHOW forebay.…` tells. Connections are counted over all loops; nodes are as this loop routes by them.
extension ReadLoop {
    /// Of any report but the one of clients, whom other loops have too.
    func table(of report: OwnReport) -> OwnTable {
        let rows: [[OwnTable.Value?]] =
            switch report {
            case .nodes: nodeRows
            case .pools: poolRows
            case .stats: statRows
            case .clients: clientRows()
            }
        return OwnTable(columns: report.columns, rows: rows)
    }

    /// Asks all loops. Calls back on this one.
    func gatherClients(_ finish: @escaping ([[OwnTable.Value?]]) -> Void) {
        let asked = registry.loops.map { loop in loop.eventLoop.submit { loop.clientRows() } }
        EventLoopFuture.whenAllSucceed(asked, on: eventLoop).assumeIsolated().whenSuccess { finish($0.flatMap { $0 }) }
    }

    private var nodeRows: [[OwnTable.Value?]] {
        zip(configuration.upstream.nodes, pools).map { node, pool in
            let state = pool.route.state
            return [
                .text("\(node)"),
                // A node that has refused a connection since it was seen last counts as away.
                .text(pool.candidate.standing.rawValue),
                state.map { .flag($0.isInRecovery) },
                state?.timeline.map { .number(Int64($0)) },
                state.map { .text("\($0.position)") },
                state?.replayLag.map { .real($0 / .seconds(1)) },
                state.flatMap { $0.isInRecovery ? .flag($0.isReceiving) : nil },
            ]
        }
    }

    private var poolRows: [[OwnTable.Value?]] {
        zip(configuration.upstream.nodes, instruments.nodes).map { node, counts in
            [
                .text("\(node)"), .text(configuration.pooling.rawValue), .number(Int64(configuration.poolSize)),
                .number(Int64(counts.inUse.value)), .number(Int64(counts.idle.value)),
                .number(Int64(counts.opened.value)), .number(Int64(counts.failed.value)),
            ]
        }
    }

    private var statRows: [[OwnTable.Value?]] {
        let waits = instruments.waits.snapshot
        let counts: [(String, Int)] = [
            ("clients", Int(instruments.clients.value)),
            ("clients_waiting", Int(instruments.waiting.value)),
            ("clients_accepted", Int(instruments.clientsAccepted.value)),
            ("clients_refused", Int(instruments.clientsRefused.value)),
            ("logins_failed", Int(instruments.loginsFailed.value)),
            ("transactions", Int(instruments.transactions.value)),
            ("primary_reads", Int(instruments.primaryReads.value)),
            ("reruns", Int(instruments.reruns.value)),
            ("refusals", Int(instruments.refusals.value)),
            ("pins", Int(instruments.pins.value)),
            ("cancels", Int(instruments.cancels.value)),
            ("backend_faults", Int(instruments.backendFaults.value)),
            ("waits", Int(waits.count)),
            ("wait_microseconds", Int(waits.sum)),
        ]
        return counts.map { [.text($0.0), .number(Int64($0.1))] }
    }

    private func clientRows() -> [[OwnTable.Value?]] {
        eventLoop.assertInEventLoop()
        let now = eventLoop.now
        return clients.values.map { $0.row(at: now) }
    }
}

extension ClientConnection {
    /// As `SHOW forebay.clients` tells of it.
    fileprivate func row(at now: NIODeadline) -> [OwnTable.Value?] {
        [
            key.map { .number(Int64($0.process)) },
            user.isEmpty ? nil : .text(user),
            context?.remoteAddress.map { .text("\($0.ipAddress ?? ""):\($0.port ?? 0)") },
            settings.values["application_name"].map { .text($0) },
            .flag(isSecure),
            .text(state),
            backend.map { .text("\(loop.configuration.upstream.nodes[$0.node])") },
            .flag(isPinned),
            .real(Double((now - begun).nanoseconds) / 1e9),
            .real(Double((now - active).nanoseconds) / 1e9),
            floor.isEmpty ? nil : .text(floorText),
        ]
    }

    private var state: String {
        switch phase {
        case .greeting, .login, .welcoming: return "login"
        case .closed: return "closed"
        case .open: break
        }
        if case .lease = pause { return "waiting" }
        guard let backend else { return "idle" }
        guard backend.exchange.isEmpty else { return "active" }
        return backend.exchange.status == .idle ? "idle" : "in transaction"
    }
}
