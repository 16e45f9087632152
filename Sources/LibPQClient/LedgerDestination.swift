package import Delivery
package import Records

/// Writes a lane's rows and its ledger row, in one transaction per flush, to the node that is not in recovery.
///
/// A connection carries one claim at a time. After a fault it is dropped, unless the server plainly refused a statement and took the
/// `ROLLBACK` that followed: then it stays open for the next claim, so that isolating a bad row does not connect anew at each step.
///
/// Owner: the lane's flusher thread.
package final class LedgerDestination: Destination {
    private let settings: ConnectionSettings
    private let deadlines: FlushDeadlines
    private let interrupt: Interrupt?
    private var order: NodeOrder
    private var connection: PostgresConnection?
    private let buffer = CopyBuffer()

    /// - Parameters:
    ///   - settings: the writer's; the application name gets `/<lane>` appended.
    ///   - interrupt: ends every wait when the process stops.
    package init(
        nodes: [NodeAddress],
        settings: ConnectionSettings,
        deadlines: FlushDeadlines = FlushDeadlines(),
        interrupt: Interrupt? = nil
    ) {
        self.settings = settings
        self.deadlines = deadlines
        self.interrupt = interrupt
        order = NodeOrder(nodes)
    }

    /// The node that this is connected to, if it is.
    package var node: NodeAddress? { connection?.node }

    package func disconnect() {
        connection = nil
    }

    package func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow {
        let connection = try connected(for: lane)
        guard let row = try ledgerRow(FlushStatement.claim(lane), on: connection) else {
            disconnect()
            throw DeliveryFault(phase: .claiming, cause: .connection("forebay.claim returned no row"))
        }
        if let node = connection.node {
            order.remember(node)
        }
        return row
    }

    package func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow? {
        try ledgerRow(FlushStatement.look(lane), on: try connected(for: lane))
    }

    private func ledgerRow(_ sql: String, on connection: PostgresConnection) throws(DeliveryFault) -> LedgerRow? {
        let result: QueryResult
        do {
            result = try connection.query(sql, by: .after(deadlines.claim))
        } catch {
            release(after: error)
            throw DeliveryFault(phase: .claiming, cause: error.cause)
        }
        guard let row = result.rows.first, let epoch = row.integer(0), let position = row.integer(1), position >= 0
        else { return nil }
        return LedgerRow(epoch: epoch, position: Offset(UInt64(position)))
    }

    package func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt {
        try self.flush(flush, whileWaiting: {})
    }

    /// Flushes; `whileWaiting` is called once, on the same thread, when all has been sent and PostgreSQL is at work on it.
    package func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt {
        guard let connection, connection.isReady else {
            disconnect()
            throw DeliveryFault(phase: .connecting, cause: .connection("the lane has not been claimed on a connection"))
        }
        var exchange = FlushExchange(connection: connection, flush: flush, deadlines: deadlines, buffer: buffer)
        do {
            return try exchange.run(whileWaiting: whileWaiting)
        } catch {
            release(after: error)
            throw DeliveryFault(phase: exchange.phase, cause: error.cause, part: exchange.refusedPart)
        }
    }

    // MARK: The connection

    private func connected(for lane: LaneKey) throws(DeliveryFault) -> PostgresConnection {
        if let connection, connection.isReady, !connection.looksBroken() {
            return connection
        }
        disconnect()
        var settings = settings
        settings.applicationName += "/\(lane.lane)"
        var reasons: [String] = []
        for node in order.candidates {
            let deadline = Deadline.after(deadlines.connect)
            do {
                let candidate = try PostgresConnection(
                    to: node,
                    settings: settings,
                    deadline: deadline,
                    interrupt: interrupt
                )
                if try candidate.isInRecovery(by: deadline) {
                    reasons.append("\(node) is in recovery")
                    continue
                }
                connection = candidate
                return candidate
            } catch {
                if error == .interrupted {
                    throw DeliveryFault(phase: .connecting, cause: error.cause)
                }
                reasons.append("\(node): \(error)")
            }
        }
        order.forget()
        throw DeliveryFault(phase: .connecting, cause: .connection(reasons.joined(separator: "; ")))
    }

    /// Keeps the connection if the server refused what it was sent, and nothing else happened.
    private func release(after fault: ConnectionFault) {
        guard case .server(let error) = fault, Self.isHarmless(error.sqlState), let connection,
            connection.isIdle(afterRollbackBy: .after(deadlines.connect))
        else {
            return disconnect()
        }
    }

    /// The error says nothing about the server's state or role: not 25 (read-only), 53 (resources), 57 (intervention, shutdown),
    /// 58 (system) or XX (internal). After those the node is looked at again.
    private static func isHarmless(_ sqlState: String) -> Bool {
        !["25", "53", "57", "58", "XX"].contains(sqlState.prefix(2))
    }
}

extension ConnectionFault {
    var cause: DeliveryFault.Cause {
        if case .server(let error) = self {
            return .server(error)
        }
        return .connection(description)
    }
}
