package import Records

/// PostgreSQL as a lane's flusher sees it. Each lane has its own, used on the lane's flusher thread only.
///
/// Calls block until they are done or their deadline has passed. After any fault the connection is in no known state: the
/// implementation drops it, and the next `claim` makes a new one.
package protocol Destination: AnyObject {
    /// Connects if need be, raises the epoch of the lane's ledger row (making the row if there is none) and returns the row.
    func claim(_ lane: LaneKey) throws(DeliveryFault) -> LedgerRow
    /// The lane's ledger row as the primary shows it now, without claiming; nil if there is none. Faults are those of a claim.
    func ledger(of lane: LaneKey) throws(DeliveryFault) -> LedgerRow?
    /// Sends the rows and advances the ledger, in one transaction and one round trip.
    func flush(_ flush: Flush) throws(DeliveryFault) -> FlushReceipt
    /// The same, and calls `whileWaiting` once, on this thread, between sending and waiting for the answer: the lane reads its next rows
    /// then. An implementation may leave the call out, at the price of the server waiting for that reading.
    func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt
    /// Closes the connection, if there is one.
    func disconnect()
}

extension Destination {
    package func flush(_ flush: Flush, whileWaiting: () -> Void) throws(DeliveryFault) -> FlushReceipt {
        try self.flush(flush)
    }
}

/// One transaction: the ledger goes from `from` to `to`, and the rows of `parts` are copied in.
///
/// Rows of offsets between `from` and `to` that stand in no part have been dead-lettered or parked, durably, before.
package struct Flush: Sendable {
    package var lane: LaneKey
    package var epoch: Int64
    package var from: Offset
    package var to: Offset
    /// One `COPY` each, in order. May be empty: then the ledger alone advances.
    package var parts: [Part]

    package init(lane: LaneKey, epoch: Int64, from: Offset, to: Offset, parts: [Part]) {
        self.lane = lane
        self.epoch = epoch
        self.from = from
        self.to = to
        self.parts = parts
    }

    package struct Part: Sendable {
        package var layout: RowLayout
        /// In the order of their offsets.
        package var slices: [Slice]
        /// Every row of the slices once, in the order in which they are sent; nil for the order of the slices.
        package var sequence: [RowPlace]?

        package init(layout: RowLayout, slices: [Slice], sequence: [RowPlace]? = nil) {
            self.layout = layout
            self.slices = slices
            self.sequence = sequence
        }

        package var rows: Int { slices.reduce(0) { $0 + $1.rows } }

        /// The offset of the row that is sent as number `index`, counted from 0; nil if there are not so many.
        package func offset(ofRow index: Int) -> Offset? {
            if let sequence {
                guard sequence.indices.contains(index) else { return nil }
                let place = sequence[index]
                return slices[Int(place.slice)].first.advanced(by: Int(place.row))
            }
            var before = 0
            for slice in slices {
                if index < before + slice.rows { return slice.first.advanced(by: index - before) }
                before += slice.rows
            }
            return nil
        }
    }

    /// Where a row of a part stands. 16 bytes, since a flush has one for each of its rows.
    package struct RowPlace: Hashable, Sendable {
        /// Index in the part's slices.
        package var slice: Int32
        /// Number of the row within its slice, from 0.
        package var row: Int32
        /// The row's first byte in the bytes of the slice's chunk.
        package var start: Int32
        package var length: Int32

        package init(slice: Int32, row: Int32, start: Int32, length: Int32) {
            self.slice = slice
            self.row = row
            self.start = start
            self.length = length
        }
    }

    /// Adjacent rows of one chunk.
    package struct Slice: Sendable {
        package var chunk: RowChunk
        /// Offset of the slice's first row.
        package var first: Offset
        package var rows: Int
        /// The rows' bytes in `chunk.bytes`.
        package var range: Range<Int>

        package init(chunk: RowChunk, first: Offset, rows: Int, range: Range<Int>) {
            self.chunk = chunk
            self.first = first
            self.rows = rows
            self.range = range
        }
    }
}

/// A committed flush.
package struct FlushReceipt: Hashable, Sendable {
    /// Rows that PostgreSQL says it copied, over all parts (from the command tags).
    package var rows: Int

    package init(rows: Int) {
        self.rows = rows
    }
}

/// Why a claim or a flush did not end well, and how far it had got.
package struct DeliveryFault: Error, Hashable, Sendable {
    /// How far the exchange had got.
    package enum Phase: Hashable, Sendable, CaseIterable {
        /// No connection was made; the server has seen nothing.
        case connecting
        /// The claim was sent; it may or may not have taken effect.
        case claiming
        /// Sending; the server can not have committed, for it has not been given the end of the last COPY.
        case sending
        /// All was sent, the end of the last COPY included: the server may have committed.
        case committing
    }

    package enum Cause: Hashable, Sendable {
        /// The connection could not be made, or broke, or a deadline passed.
        case connection(String)
        /// The server refused.
        case server(ServerError)
    }

    package var phase: Phase
    package var cause: Cause
    /// Index in `Flush.parts` of the COPY that the server refused, where that is known.
    package var part: Int?

    package init(phase: Phase, cause: Cause, part: Int? = nil) {
        self.phase = phase
        self.cause = cause
        self.part = part
    }
}

/// An error report of the server (PostgreSQL manual, section 55.8 "Error and Notice Message Fields").
package struct ServerError: Error, Hashable, Sendable {
    /// Five characters.
    package var sqlState: String
    package var message: String
    package var detail: String?
    package var hint: String?
    /// The field "Where"; a COPY names its line there.
    package var context: String?
    package var constraint: String?
    package var column: String?

    package init(
        sqlState: String,
        message: String,
        detail: String? = nil,
        hint: String? = nil,
        context: String? = nil,
        constraint: String? = nil,
        column: String? = nil
    ) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.context = context
        self.constraint = constraint
        self.column = column
    }
}
