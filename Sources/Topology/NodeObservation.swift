package import Records

/// What one node said about itself at one moment, or why it said nothing.
package struct NodeObservation: Hashable, Sendable {
    package var node: NodeAddress
    package var state: Result<NodeState, NodeFault>

    package init(node: NodeAddress, state: Result<NodeState, NodeFault>) {
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
    package var ledger: [LaneKey: LedgerRow]?
    /// The node's clock minus this machine's, to half a round trip.
    package var clockOffset: Duration
    /// From the question to the answer, on a connection that stood.
    package var answerTime: Duration

    package init(
        version: Int,
        isInRecovery: Bool,
        systemIdentifier: UInt64,
        timeline: Int?,
        position: WALPosition,
        isReceiving: Bool = false,
        replayLag: Duration? = nil,
        ledger: [LaneKey: LedgerRow]? = nil,
        clockOffset: Duration = .zero,
        answerTime: Duration = .zero
    ) {
        self.version = version
        self.isInRecovery = isInRecovery
        self.systemIdentifier = systemIdentifier
        self.timeline = timeline
        self.position = position
        self.isReceiving = isReceiving
        self.replayLag = replayLag
        self.ledger = ledger
        self.clockOffset = clockOffset
        self.answerTime = answerTime
    }

    /// A question of a row that takes longer than this is answered by a node, or over a way, that is not well: far below what counts as hung, far
    /// above what any distance on earth explains.
    package static let patience = Duration.milliseconds(250)

    /// It answers, and slowly. Says nothing about what the node may be used for.
    package var isSlow: Bool { answerTime > Self.patience }

    /// How many bytes of WAL this node is behind another one; nil unless both are known to be on the same timeline of the same cluster.
    package func bytesBehind(_ other: NodeState) -> UInt64? {
        guard systemIdentifier == other.systemIdentifier, let timeline, timeline == other.timeline else { return nil }
        return other.position.rawValue > position.rawValue ? other.position.rawValue - position.rawValue : 0
    }
}

/// A byte position in PostgreSQL's write-ahead log (an LSN). Without an order: see ``NodeState/bytesBehind(_:)``.
package struct WALPosition: RawRepresentable, Hashable, Sendable {
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
}

extension WALPosition: CustomStringConvertible {
    package var description: String {
        String(rawValue >> 32, radix: 16, uppercase: true) + "/"
            + String(rawValue & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }
}
