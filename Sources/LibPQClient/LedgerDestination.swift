package import Delivery
package import Records
package import Topology

/// Writes a lane's rows and its ledger row, in one transaction per flush, to the node that the directory names.
///
/// A connection carries one claim at a time. After a fault it is dropped, unless the server plainly refused a statement and took the
/// `ROLLBACK` that followed: then it stays open for the next claim, so that isolating a bad row does not connect anew at each step.
///
/// Owner: the lane's flusher thread.
package final class LedgerDestination: Destination {
    private let directory: any PrimaryDirectory
    private let settings: ConnectionSettings
    private let deadlines: FlushDeadlines
    private let breakSwitch: BreakSwitch
    private let lookup: NameLookup
    private var connection: PostgresConnection?
    /// The choice that the connection was made by.
    package private(set) var choice: PrimaryChoice?
    private let buffer = CopyBuffer()
    /// The layouts whose types this connection has a statement to look at, under ``TableTypes/guardName(_:)``.
    private var guarded: Set<Fingerprint> = []

    /// - Parameters:
    ///   - settings: the writer's; the application name gets `/<lane>` appended.
    ///   - breakSwitch: ends the waits when another node is the primary, and when the process stops.
    package init(
        directory: any PrimaryDirectory,
        settings: ConnectionSettings,
        deadlines: FlushDeadlines = FlushDeadlines(),
        breakSwitch: BreakSwitch = BreakSwitch(),
        lookup: NameLookup = .system
    ) {
        self.directory = directory
        self.settings = settings
        self.deadlines = deadlines
        self.breakSwitch = breakSwitch
        self.lookup = lookup
    }

    /// The node that this is connected to, if it is.
    package var node: NodeAddress? { connection?.node }

    package func disconnect() {
        connection = nil
        guarded = []
    }

    package func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow {
        let connection = try connected(for: lane)
        guard let row = try ledgerRow(FlushStatement.claim(lane), on: connection) else {
            disconnect()
            throw DeliveryFault(phase: .claiming, cause: .connection("forebay.claim returned no row"))
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
        for (index, part) in flush.parts.enumerated() where !guarded.contains(part.layout.fingerprint) {
            try guardTypes(of: part.layout, part: index, on: connection)
        }
        var exchange = FlushExchange(connection: connection, flush: flush, deadlines: deadlines, buffer: buffer)
        do {
            return try exchange.run(whileWaiting: whileWaiting)
        } catch {
            throw fault(of: exchange, in: flush, after: error)
        }
    }

    // MARK: The types of the columns

    /// Looks whether the rows of a layout fit its table, and prepares what looks again in each flush.
    private func guardTypes(of layout: RowLayout, part: Int, on connection: PostgresConnection) throws(DeliveryFault) {
        let deadline = Deadline.after(deadlines.send)
        let misfit: ServerError?
        do {
            let types = try TableTypes(for: layout, on: connection, by: deadline)
            misfit = types.misfit
            if misfit == nil { try connection.run(types.guardStatement, by: deadline) }
        } catch {
            release(after: error)
            throw DeliveryFault(phase: .sending, cause: error.cause, part: part)
        }
        if let misfit { throw DeliveryFault(phase: .sending, cause: .server(misfit), part: part) }
        guarded.insert(layout.fingerprint)
    }

    /// What a flush comes to that has failed. A row is not blamed before its columns have been looked at.
    private func fault(of exchange: FlushExchange, in flush: Flush, after error: ConnectionFault) -> DeliveryFault {
        var fault = DeliveryFault(phase: exchange.phase, cause: error.cause, part: exchange.refusedPart)
        guard case .server(let refusal) = error, let part = exchange.refusedPart,
            exchange.isOfOtherTypes || Self.mayBeForItsType(refusal.sqlState)
        else {
            release(after: error)
            return fault
        }
        let table = flush.parts[part].layout.table
        let deadline = Deadline.after(deadlines.connect)
        do throws(ConnectionFault) {
            guard let connection, connection.isIdle(afterRollbackBy: deadline) else {
                throw .broken("the connection was lost after: \(refusal.sqlState) \(refusal.message)")
            }
            let misfit = try TableTypes(for: flush.parts[part].layout, on: connection, by: deadline).misfit
            if misfit == nil, !exchange.isOfOtherTypes {
                release(after: error)
                return fault
            }
            // Without a misfit, they were changed to what reads the rows as well, or changed back by now.
            fault.cause =
                misfit.map { .server($0) } ?? .connection("the types of \(table) changed under way, and fit the rows")
            // What it has prepared speaks of the types before.
            disconnect()
        } catch {
            release(after: error)
            fault.cause = error.cause
        }
        return fault
    }

    /// What a receive function says of bytes that were made for another type: too few of them (08P01), too many or without sense (22), elements
    /// of another type (42804), too many dimensions (54), no version of jsonb (XX000).
    private static func mayBeForItsType(_ sqlState: String) -> Bool {
        ["08P01", "42804"].contains(sqlState) || ["22", "54", "XX"].contains(sqlState.prefix(2))
    }

    // MARK: The connection

    private func connected(for lane: LaneKey) throws(DeliveryFault) -> PostgresConnection {
        var choice = directory.choice
        // The same name on another timeline may be another server, while the one that it led to still answers.
        if let connection, self.choice == choice, connection.isReady, !connection.looksBroken() {
            return connection
        }
        disconnect()
        guard let chosen = choice.node else { throw Self.unconnected("\(choice)") }
        // Armed before the last look at the choice: one that comes after it breaks the connection off.
        let interrupt = breakSwitch.arm(for: chosen)
        choice = directory.choice
        guard case .primary(let node, let identifier, let timeline) = choice, node == chosen else {
            throw Self.unconnected("the primary has just changed: \(choice)")
        }
        var settings = settings
        settings.applicationName += "/\(lane.lane)"
        let deadline = Deadline.after(deadlines.connect)
        do throws(ConnectionFault) {
            let made = try PostgresConnection.open(
                to: node,
                settings: settings,
                deadline: deadline,
                interrupt: interrupt,
                lookup: lookup,
                accepts: { (candidate, deadline) throws(ConnectionFault) in try !candidate.isInRecovery(by: deadline) }
            )
            let found = try made.identity(by: deadline)
            guard choice.admits(systemIdentifier: found.systemIdentifier, timeline: found.timeline) else {
                throw ConnectionFault.broken(
                    "\(node) is of system \(found.systemIdentifier), timeline \(found.timeline) now; "
                        + "expected \(identifier), timeline \(timeline) or later"
                )
            }
            connection = made
            self.choice = choice
            return made
        } catch {
            if error == .interrupted { throw Self.unconnected("\(error)") }
            directory.lookAgain()
            throw Self.unconnected("\(node): \(error)")
        }
    }

    private static func unconnected(_ reason: String) -> DeliveryFault {
        DeliveryFault(phase: .connecting, cause: .connection(reason))
    }

    /// Keeps the connection if the server refused what it was sent, and nothing else happened.
    private func release(after fault: ConnectionFault) {
        guard case .server(let error) = fault, Self.isHarmless(error.sqlState), let connection,
            connection.isIdle(afterRollbackBy: .after(deadlines.connect))
        else {
            directory.lookAgain()
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
