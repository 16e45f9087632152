package import Delivery
package import Records

/// A PostgreSQL in memory: a ledger, committed rows by lane and offset, constraints, and transactions that outlive their connection.
///
/// What it knows of the real one: a flush is all or nothing; `advance` compares epoch and position and locks the ledger's row; a claim waits for the
/// transaction that has the row locked; a server that starts again has forgotten what was not committed.
package final class SimulatedPostgres {
    /// What the database holds of a lane.
    package struct Table: Sendable {
        package var ledger = LedgerRow(epoch: 0, position: .none)
        /// The event inserted for each offset; 0 where none was. Offset 0 is no event's.
        package fileprivate(set) var events: [UInt64] = [0]
        /// How often each offset was inserted.
        package fileprivate(set) var copies: [UInt8] = [0]

        package init() {}

        package func copies(of offset: Offset) -> Int {
            let index = Int(offset.rawValue)
            return index < copies.count ? Int(copies[index]) : 0
        }

        /// The table as it was when the ledger had `row`.
        package func earlier(_ row: LedgerRow) -> Table {
            var earlier = self
            earlier.ledger = row
            let kept = min(Int(row.position.rawValue) + 1, copies.count)
            earlier.events.removeSubrange(kept...)
            earlier.copies.removeSubrange(kept...)
            return earlier
        }

        package func event(at offset: Offset) -> EventID? {
            copies(of: offset) > 0 ? EventID(events[Int(offset.rawValue)]) : nil
        }
    }

    /// What the database holds, as a backup or a replica has it.
    package struct State: Sendable {
        package fileprivate(set) var tables: [LaneKey: Table] = [:]

        package subscript(lane: LaneKey) -> Table {
            get { tables[lane] ?? Table() }
            set { tables[lane] = newValue }
        }

        /// What a record of the WAL changed.
        package mutating func apply(_ record: WALRecord) {
            var table = tables.removeValue(forKey: record.lane) ?? Table()
            for row in record.rows { table.insert(row.event, at: row.offset) }
            table.ledger = record.ledger
            tables[record.lane] = table
        }

        /// Records that make this state of an empty one.
        package var records: [WALRecord] {
            let lanes = tables.keys.sorted { $0.description < $1.description }
            return lanes.map { lane in
                let table = self[lane]
                let rows = (0..<table.copies.count).filter { table.copies[$0] > 0 }.map { offset in
                    WALRecord.Row(offset: Offset(UInt64(offset)), event: EventID(table.events[offset]))
                }
                return WALRecord(lane: lane, ledger: table.ledger, rows: rows)
            }
        }
    }

    /// How the transaction of a connection that was lost ends.
    package enum OrphanEnd: Hashable, Sendable {
        case commits
        case rollsBack
        /// The server reads it only after the next claim.
        case arrivesLate
    }

    /// What is wrong with a table that refuses every row; the raw value is the SQLSTATE.
    package enum Breakage: String, Hashable, Sendable, CaseIterable {
        case gone = "42P01"
        /// A column has another type than rows were encoded for.
        case retyped = "42804"

        package var message: String {
            switch self {
            case .gone: "relation does not exist"
            case .retyped: "a column is of another type now"
            }
        }
    }

    /// Whether, and how, the server names the row it refuses.
    package enum Naming: Hashable, Sendable { case right, none, wrong }

    package var state = State()
    /// False plants a fault: `advance` moves the ledger whatever epoch and position it was called with.
    package var comparesAndSets = true
    /// By how much a claim raises the epoch, as the real server draws it.
    package var epochStep: () -> Int64 = { 1 }
    /// Rows that violate a constraint at once.
    package var poison: Set<EventID> = []
    /// Rows that violate a deferred constraint, at COMMIT.
    package var deferredPoison: Set<EventID> = []
    /// Streams whose table refuses every row.
    package var broken: Set<String> = []
    /// What is wrong with their tables.
    package var breakage = Breakage.gone
    package var naming: () -> Naming = { .right }
    package var orphanEnd: () -> OrphanEnd = { .rollsBack }
    /// Told of each transaction that was committed, once it is.
    package var didCommit: ((Flush) -> Void)?
    /// Told of each change, in the order of the WAL.
    var didWrite: ((WALRecord) -> Void)?

    private var orphans: [Flush] = []
    /// Connections made before a restart are gone.
    private(set) var restarts = 0

    package private(set) var flushes = 0
    package private(set) var failovers = 0
    package private(set) var refusals = 0
    /// Rows sent in all flushes, also those refused.
    package private(set) var rowsSent = 0

    package init() {}

    /// A replica takes over; connections and transactions of the old primary are none of its.
    package func failOver(to replica: State) {
        failovers += 1
        state = replica
        restart()
    }

    /// The server starts again: what was committed is there, and nothing else.
    package func restart() {
        restarts += 1
        orphans.removeAll()
    }

    /// A replica has replayed a record.
    func apply(_ record: WALRecord) {
        state.apply(record)
    }

    package var hasOrphans: Bool { !orphans.isEmpty }

    /// The oldest transaction without a connection reaches its end now. Returns whether it was committed.
    package func finishOrphan(committing: Bool) -> Bool {
        guard !orphans.isEmpty else { return false }
        let flush = orphans.removeFirst()
        return committing && commit(flush, atCommit: true) == nil
    }

    package func claim(_ lane: LaneKey) -> LedgerRow {
        let waiting = orphans.filter { $0.lane == lane }
        orphans.removeAll { $0.lane == lane }
        var late: [Flush] = []
        for orphan in waiting {
            switch orphanEnd() {
            case .commits: _ = commit(orphan, atCommit: true)
            case .rollsBack: break
            case .arrivesLate: late.append(orphan)
            }
        }
        var row = state[lane].ledger
        row.epoch = max(1, row.epoch + epochStep())
        state[lane].ledger = row
        didWrite?(WALRecord(lane: lane, ledger: row))
        for orphan in late { _ = commit(orphan, atCommit: true) }
        return row
    }

    /// The connection broke with this flush under way.
    package func leave(_ flush: Flush) {
        flushes += 1
        orphans.append(flush)
    }

    /// Runs the transaction. Returns nil if it was committed.
    package func commit(_ flush: Flush, atCommit: Bool) -> DeliveryFault? {
        flushes += 1
        let phase = atCommit ? DeliveryFault.Phase.committing : .sending
        let parts = flush.parts.map(Self.rows)
        if let fault = refusal(of: flush, parts, phase: phase) {
            refusals += 1
            return fault
        }
        let ledger = LedgerRow(epoch: state[flush.lane].ledger.epoch, position: flush.to)
        let record = WALRecord(lane: flush.lane, ledger: ledger, rows: Array(parts.joined()))
        state.apply(record)
        didWrite?(record)
        didCommit?(flush)
        return nil
    }

    private func refusal(of flush: Flush, _ parts: [[WALRecord.Row]], phase: DeliveryFault.Phase) -> DeliveryFault? {
        if comparesAndSets, state[flush.lane].ledger != LedgerRow(epoch: flush.epoch, position: flush.from) {
            return DeliveryFault(
                phase: phase,
                cause: .server(ServerError(sqlState: ErrorClass.fencedState, message: "fenced"))
            )
        }
        for (index, part) in flush.parts.enumerated() {
            let rows = parts[index]
            rowsSent += rows.count
            if broken.contains(part.layout.stream) {
                let error = ServerError(sqlState: breakage.rawValue, message: breakage.message)
                return DeliveryFault(phase: phase, cause: .server(error), part: index)
            }
            if !poison.isEmpty, let line = rows.firstIndex(where: { poison.contains($0.event) }) {
                return violation(line: line + 1, of: rows.count, part: part, index: index, phase: phase)
            }
        }
        if !deferredPoison.isEmpty, parts.joined().contains(where: { deferredPoison.contains($0.event) }) {
            let error = ServerError(sqlState: "23503", message: "violates foreign key constraint")
            return DeliveryFault(phase: .committing, cause: .server(error))
        }
        return nil
    }

    private func violation(
        line: Int,
        of lines: Int,
        part: Flush.Part,
        index: Int,
        phase: DeliveryFault.Phase
    ) -> DeliveryFault {
        var error = ServerError(sqlState: "23514", message: "violates check constraint", constraint: "positive")
        switch naming() {
        case .right: error.context = "COPY \(part.layout.table.name), line \(line)"
        case .wrong:
            // An error whose line is that of the last row read.
            error = ServerError(sqlState: "54000", message: "index row too large")
            error.context = "COPY \(part.layout.table.name), line \(lines)"
        case .none: break
        }
        return DeliveryFault(phase: phase, cause: .server(error), part: index)
    }

    /// The rows of a part, in the order in which they are sent.
    private static func rows(_ part: Flush.Part) -> [WALRecord.Row] {
        var inOrder: [WALRecord.Row] = []
        for slice in part.slices {
            let found = EventRows.events(in: slice.chunk.bytes[slice.range]) ?? []
            precondition(
                found.count == slice.rows,
                "a slice does not hold \(slice.rows) whole rows from \(slice.first)"
            )
            for (row, event) in found.enumerated() {
                inOrder.append(WALRecord.Row(offset: slice.first.advanced(by: row), event: event))
            }
        }
        guard let sequence = part.sequence else { return inOrder }
        let sent = sequence.map { place in
            let slice = part.slices[Int(place.slice)]
            let start = Int(place.start)
            let events = EventRows.events(in: slice.chunk.bytes[start..<start + Int(place.length)]) ?? []
            precondition(events.count == 1, "what is sent as one row of \(slice.first) is none")
            return WALRecord.Row(offset: slice.first.advanced(by: Int(place.row)), event: events[0])
        }
        precondition(sent.sorted { $0.offset < $1.offset } == inOrder, "the rows of a part are not sent once each")
        return sent
    }
}

extension SimulatedPostgres.Table {
    fileprivate mutating func insert(_ event: EventID, at offset: Offset) {
        let index = Int(offset.rawValue)
        if index >= copies.count {
            let missing = index + 1 - copies.count
            copies += [UInt8](repeating: 0, count: missing)
            events += [UInt64](repeating: 0, count: missing)
        }
        copies[index] = min(copies[index], .max - 1) + 1
        events[index] = event.rawValue
    }
}
