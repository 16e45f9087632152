/// Consecutive rows of one lane that were set aside, and why.
///
/// The positions `first` … `last` are the identity of a letter: recording the same ones twice is recording them once.
package struct DeadLetter: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable {
        /// One row that a healthy server refused alone.
        case poison = 1
        /// Rows of a stream that failed as a whole.
        case parked = 2
        /// Positions that the queue can no longer read; there are no rows to bring back.
        case unreadable = 3
    }

    /// What the server, or the queue, said.
    package struct Reason: Hashable, Sendable {
        /// Five characters; empty if it was not the server that spoke.
        package var sqlState: String
        package var message: String
        package var detail: String?
        package var constraint: String?
        package var column: String?

        package init(
            sqlState: String,
            message: String,
            detail: String? = nil,
            constraint: String? = nil,
            column: String? = nil
        ) {
            self.sqlState = sqlState
            self.message = message
            self.detail = detail
            self.constraint = constraint
            self.column = column
        }
    }

    package var lane: LaneKey
    /// The offset of the first row; the others follow densely.
    package var first: Offset
    package var count: Int
    package var kind: Kind
    /// Zero and empty for unreadable positions.
    package var fingerprint: Fingerprint
    package var stream: String
    package var reason: Reason
    /// Microseconds since 1970-01-01 00:00 UTC.
    package var time: Int64
    /// COPY binary tuples back to back, without header or trailer; empty for unreadable positions.
    package var bytes: [UInt8]

    package init(
        lane: LaneKey,
        first: Offset,
        count: Int,
        kind: Kind,
        fingerprint: Fingerprint,
        stream: String,
        reason: Reason,
        time: Int64,
        bytes: [UInt8]
    ) {
        self.lane = lane
        self.first = first
        self.count = count
        self.kind = kind
        self.fingerprint = fingerprint
        self.stream = stream
        self.reason = reason
        self.time = time
        self.bytes = bytes
    }

    /// The offset of the last row.
    package var last: Offset { first.advanced(by: count - 1) }
    package var range: ClosedRange<Offset> { first...last }
    /// The position of the first row; the letter's name in keys and reports.
    package var position: Position { lane.position(first) }
}
