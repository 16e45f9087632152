import Delivery
package import Records
package import Topology

/// Observes one node, over a connection of its own that it keeps from one observation to the next.
///
/// Owner: one thread.
package final class ReplicaProbe {
    package let node: NodeAddress
    private let settings: ConnectionSettings
    private let timeout: Duration
    private let interrupt: Interrupt?
    private let lookup: NameLookup
    /// nil for an address that stays what it is.
    private let names: NameWatch?
    /// When the name's other addresses were last tried for a primary.
    private var tried: ContinuousClock.Instant?
    private var connection: PostgresConnection?

    /// The other addresses of a name are tried for a primary no more often.
    private static let trialPause = Duration.milliseconds(500)

    /// - Parameter timeout: for a whole observation, the connection included.
    package init(
        node: NodeAddress,
        settings: ConnectionSettings,
        timeout: Duration = .seconds(5),
        interrupt: Interrupt? = nil,
        lookup: NameLookup = .system
    ) {
        self.node = node
        self.settings = settings
        self.timeout = timeout
        self.interrupt = interrupt
        self.lookup = lookup
        names = NameLookup.isFixed(node.host) ? nil : NameWatch(node.host, lookup)
    }

    /// Asks the node about itself and about the ledger rows of these queues.
    ///
    /// - Parameter seeksPrimary: no primary is known, so that a name which leads to a replica is tried for other addresses.
    package func observe(queues: some Sequence<QueueID>, seeksPrimary: Bool = false) -> NodeObservation {
        do throws(ConnectionFault) {
            let state = try ask(Array(queues), seeksPrimary: seeksPrimary, by: .after(timeout))
            return NodeObservation(node: node, state: .success(state))
        } catch {
            connection = nil
            return NodeObservation(node: node, state: .failure(NodeFault(error)))
        }
    }

    package func disconnect() {
        connection = nil
    }

    /// The connection that is kept, unless the name leads elsewhere by now, or a new one.
    ///
    /// Of a name with several addresses the one counts that leads to a primary, if there is one: that is what such names are made for.
    private func connected(seeksPrimary: Bool, by deadline: Deadline) throws(ConnectionFault) -> PostgresConnection {
        if let kept = connection, kept.isReady, !kept.looksBroken() {
            let addresses = names?.addresses ?? []
            let isStillThere = addresses.isEmpty || kept.address.map(addresses.contains) ?? true
            if isStillThere {
                if seeksPrimary, addresses.count > 1, let other = try primary(besides: kept, by: deadline) {
                    connection = other
                    return other
                }
                return kept
            }
        }
        connection = nil
        let made = try PostgresConnection.open(
            to: node,
            settings: settings,
            deadline: deadline,
            interrupt: interrupt,
            lookup: lookup,
            otherwise: .keep,
            accepts: { (candidate, deadline) throws(ConnectionFault) in try !candidate.isInRecovery(by: deadline) }
        )
        connection = made
        return made
    }

    /// A primary at another address of the name; nil if there is none, or if it was not long ago that there was none.
    private func primary(
        besides kept: PostgresConnection,
        by deadline: Deadline
    ) throws(ConnectionFault) -> PostgresConnection? {
        let now = ContinuousClock.now
        if let tried, now - tried < Self.trialPause { return nil }
        guard let address = kept.address, try kept.isInRecovery(by: deadline) else { return nil }
        tried = now
        do throws(ConnectionFault) {
            return try PostgresConnection.open(
                to: node,
                besides: address,
                settings: settings,
                // The rest is for asking.
                deadline: .after(.milliseconds(Int(deadline.millisecondsLeft) / 2)),
                interrupt: interrupt,
                lookup: lookup,
                accepts: { (candidate, deadline) throws(ConnectionFault) in try !candidate.isInRecovery(by: deadline) }
            )
        } catch {
            if error == .interrupted { throw error }
            return nil
        }
    }

    private func ask(
        _ queues: [QueueID],
        seeksPrimary: Bool,
        by deadline: Deadline
    ) throws(ConnectionFault) -> NodeState {
        let connection = try connected(seeksPrimary: seeksPrimary, by: deadline)
        let asked = ContinuousClock.now
        let before = UnixTime.now
        let rows = try connection.query(Self.stateQuery, by: deadline).rows
        let after = UnixTime.now
        let answerTime = ContinuousClock.now - asked
        guard let row = rows.first, let isInRecovery = row.bool(0),
            let identifier = row.text(1).flatMap({ Int64($0) }),
            let position = row.text(3).flatMap({ WALPosition($0) })
        else { throw .broken("the node did not describe itself") }
        let clock = row.double(5) ?? 0
        return NodeState(
            version: connection.serverVersion,
            isInRecovery: isInRecovery,
            systemIdentifier: UInt64(bitPattern: identifier),
            timeline: row.text(2).flatMap { Int($0, radix: 16) },
            position: position,
            isReceiving: row.bool(7) ?? false,
            replayLag: row.double(4).map { .milliseconds(Int64(max(0, $0) * 1000)) },
            ledger: row.bool(6) == true ? try ledger(of: queues, on: connection, by: deadline) : nil,
            clockOffset: .milliseconds(Int64((clock - (before + after) / 2) * 1000)),
            answerTime: answerTime
        )
    }

    private func ledger(
        of queues: [QueueID],
        on connection: PostgresConnection,
        by deadline: Deadline
    ) throws(ConnectionFault) -> [LaneKey: LedgerRow] {
        let list = "{" + queues.map(\.description).joined(separator: ",") + "}"
        let rows = try connection.query(
            "SELECT queue, lane, epoch, position FROM forebay.ledger WHERE queue = ANY ($1::uuid[])",
            [list],
            by: deadline
        ).rows
        var ledger: [LaneKey: LedgerRow] = [:]
        for row in rows {
            guard let queue = row.text(0).flatMap({ QueueID($0) }),
                let lane = row.integer(1).flatMap({ UInt16(exactly: $0) }),
                let epoch = row.integer(2), let position = row.integer(3), position >= 0
            else { continue }
            ledger[LaneKey(queue: queue, lane: LaneID(lane))] = LedgerRow(
                epoch: epoch,
                position: Offset(UInt64(position))
            )
        }
        return ledger
    }

    /// Open to every role. A primary's timeline is in the name of its current WAL file: `pg_control_checkpoint` goes on showing the
    /// old one until the first checkpoint after a promotion. On a replica the WAL receiver tells its own to monitoring roles only;
    /// to others there is the one of the last restart point.
    ///
    /// A replica that receives, and has replayed all it received, has no lag, however old its last transaction is.
    private static let stateQuery = """
        SELECT r.recovering,
               (SELECT system_identifier FROM pg_catalog.pg_control_system()),
               CASE WHEN r.recovering
                    THEN pg_catalog.to_hex(coalesce(
                        (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver),
                        (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())))
                    ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END,
               CASE WHEN r.recovering THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,
               CASE WHEN NOT r.recovering THEN NULL
                    WHEN w.receives AND pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
                    ELSE EXTRACT(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) END,
               EXTRACT(epoch FROM pg_catalog.clock_timestamp()),
               pg_catalog.to_regclass('forebay.ledger') IS NOT NULL,
               w.receives
        FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovering) AS r,
             (SELECT count(pid) > 0 AS receives FROM pg_catalog.pg_stat_wal_receiver) AS w
        """
}

extension PostgresConnection {
    /// The system identifier and the timeline of a server that is not in recovery.
    func identity(by deadline: Deadline) throws(ConnectionFault) -> (systemIdentifier: UInt64, timeline: Int) {
        let row = try query(
            """
            SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),
                   pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)
            """,
            by: deadline
        ).rows.first
        guard let identifier = row?.text(0).flatMap({ Int64($0) }),
            let timeline = row?.text(1).flatMap({ Int($0, radix: 16) })
        else { throw .broken("the node did not describe itself") }
        return (UInt64(bitPattern: identifier), timeline)
    }
}
