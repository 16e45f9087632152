import Records

/// Rows on their way to the queue as one append, and the requests that they came with.
///
/// The requests of one turn of an event loop share a batch: the queue then has one thing to take, commit and answer,
/// however many requests there were. They become durable together or not at all, which is more than each was promised.
///
/// Owner: an event loop. The rows are the queue's too from ``IngestLoop`` handing them over until it has told the outcome.
final class SharedBatch {
    /// What one request has in it. Requests follow one another, and so do their rows.
    struct Share {
        var connection: any LoopConnection
        var tag: UInt64
        var rows: Int
    }

    /// The most bytes of rows that requests share: a block of the queue's log holds as much.
    static let limit = 256 << 10
    /// Larger memory than this is given back rather than kept for the next turn.
    private static let keptCapacity = 1 << 20

    private(set) var rows: RowBatch
    private(set) var shares: [Share] = []
    /// Bytes of the budget that the requests hold.
    private(set) var charge = 0

    init(_ rows: RowBatch) {
        self.rows = rows
    }

    /// Notes that the last `rows` rows of the batch belong to a request.
    func add(_ connection: any LoopConnection, tag: UInt64, rows: Int, charge: Int) {
        shares.append(Share(connection: connection, tag: tag, rows: rows))
        self.charge += charge
    }

    /// Makes an empty batch of this, for rows of `layouts`, in the same memory if nobody else has it any more; false if
    /// that is not so (yet), or if it is not worth keeping.
    func renew(_ layouts: any LayoutSource) -> Bool {
        guard rows.layouts === layouts, rows.capacity <= Self.keptCapacity, isKnownUniquelyReferenced(&rows) else {
            return false
        }
        rows.removeAll()
        return true
    }

    /// Forgets the requests.
    func settle() {
        shares.removeAll(keepingCapacity: true)
        charge = 0
    }

    /// Tells each request how the append ended. They lie behind one another, so the last position says where each ends.
    func tell(_ outcome: AppendOutcome, _ body: (Share, AppendOutcome) -> Void) {
        guard shares.count > 1, case .durable(let last, _, let repeated) = outcome else {
            for share in shares { body(share, outcome) }
            return
        }
        var end = last.offset.rawValue - UInt64(shares.reduce(0) { $0 + $1.rows })
        for share in shares {
            end += UInt64(share.rows)
            let position = Position(queue: last.queue, lane: last.lane, offset: Offset(end))
            body(share, .durable(last: position, count: share.rows, repeated: repeated))
        }
    }
}
