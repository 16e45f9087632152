import Delivery
package import Records

/// What one transaction changed: the ledger row of a lane, and the rows that came with it.
package struct WALRecord: Sendable {
    package var lane: LaneKey
    package var ledger: LedgerRow
    package var rows: [Row] = []

    package struct Row: Hashable, Sendable {
        package var offset: Offset
        package var event: EventID

        package init(offset: Offset, event: EventID) {
            self.offset = offset
            self.event = event
        }
    }

    package init(lane: LaneKey, ledger: LedgerRow, rows: [Row] = []) {
        self.lane = lane
        self.ledger = ledger
        self.rows = rows
    }

    /// Bytes of WAL that it takes.
    var byteCount: UInt64 { 64 + 48 * UInt64(rows.count) }
}
