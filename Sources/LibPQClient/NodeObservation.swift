package import Records

/// What one node said about itself at one moment, or why it said nothing.
package struct NodeObservation: Hashable, Sendable {
    package var node: NodeAddress
    package var state: Result<NodeState, ConnectionFault>

    package init(node: NodeAddress, state: Result<NodeState, ConnectionFault>) {
        self.node = node
        self.state = state
    }
}

/// A node that answered.
package struct NodeState: Hashable, Sendable {
    /// A number such as 150020.
    package var version: Int
    /// True for a replica.
    package var isInRecovery: Bool
    /// Drawn by `initdb`; the same on a primary and its replicas. 64 bits, unsigned.
    package var systemIdentifier: UInt64
    /// A primary's current timeline; a replica's as of what it receives, or as of its last restart point.
    package var timeline: Int?
    /// The end of the WAL that was written (primary) or replayed (replica).
    package var position: WALPosition
    /// A replica has a connection to the node that it replicates.
    package var isReceiving: Bool
    /// How long ago the transaction that was replayed last had been committed; zero for a replica that receives and has replayed all
    /// it received. Nil for a primary, and for a replica that has replayed no transaction since its start.
    package var replayLag: Duration?
    /// The rows of `forebay.ledger` that were asked for, as a query on this node sees them; nil if the table is not there.
    package var ledger: [LaneKey: LedgerEntry]?
    /// The node's clock minus this machine's, to half a round trip.
    package var clockOffset: Duration

    package struct LedgerEntry: Hashable, Sendable {
        package var epoch: Int64
        package var position: Offset

        package init(epoch: Int64, position: Offset) {
            self.epoch = epoch
            self.position = position
        }
    }
}

/// A byte position in PostgreSQL's write-ahead log (an LSN). Comparable only within a timeline.
package struct WALPosition: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Parses PostgreSQL's form, such as `16/B374D848`.
    package init?(_ text: some StringProtocol) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let high = UInt32(halves[0], radix: 16), let low = UInt32(halves[1], radix: 16) else {
            return nil
        }
        rawValue = UInt64(high) << 32 | UInt64(low)
    }

    package static func < (left: WALPosition, right: WALPosition) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension WALPosition: CustomStringConvertible {
    package var description: String {
        String(rawValue >> 32, radix: 16, uppercase: true) + "/"
            + String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }
}
