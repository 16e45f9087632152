import Delivery
import Records

/// A PostgreSQL in memory: a ledger, committed rows by offset, constraints, and transactions that outlive their connection.
///
/// What it knows of the real one: a flush is all or nothing; `advance` compares epoch and position and locks the ledger's row; a claim
/// waits for the transaction that has the row locked.
final class FakePostgres {
    /// What can be left out, to show that a test would notice.
    struct Omissions: OptionSet {
        let rawValue: Int
        /// `advance` moves the ledger whatever epoch and position it was called with.
        static let compareAndSet = Omissions(rawValue: 1)
        /// A flush whose answer was lost is sent again without asking the ledger.
        static let askingTheLedger = Omissions(rawValue: 2)
    }

    struct State {
        var ledger = LedgerRow(epoch: 0, position: .none)
        /// How often each offset was inserted; the first is offset 0's, which is no event's.
        var copies: [Int] = [0]
    }

    var state = State()
    let omissions: Omissions
    /// Rows that violate a constraint at once.
    var poison: Set<Offset> = []
    /// Rows that violate a deferred constraint, at COMMIT.
    var deferredPoison: Set<Offset> = []
    /// Streams whose table is gone.
    var broken: Set<String> = []
    /// Whether, and how, the server names the row it refuses.
    enum Naming { case right, none, wrong }
    var naming: () -> Naming = { .right }
    /// A transaction of a lost connection that has not ended: at the next claim it ends, in one of three ways.
    private var orphan: Flush?
    enum OrphanEnd { case commits, rollsBack, arrivesLate }
    var orphanEnd: () -> OrphanEnd = { .rollsBack }

    private(set) var flushes = 0
    private(set) var failovers = 0
    private(set) var refusals = 0
    /// Rows sent in all flushes, also those refused.
    private(set) var rowsSent = 0

    init(omissions: Omissions = []) {
        self.omissions = omissions
    }

    func copies(of offset: Offset) -> Int {
        let index = Int(offset.rawValue)
        return index < state.copies.count ? state.copies[index] : 0
    }

    /// A replica takes over; transactions of the old primary are none of its.
    func failOver(to replica: State) {
        failovers += 1
        state = replica
        orphan = nil
    }

    func claim() -> LedgerRow {
        let late = orphan
        orphan = nil
        var end = OrphanEnd.rollsBack
        if late != nil { end = orphanEnd() }
        if end == .commits, let late { _ = commit(late, atCommit: true) }
        state.ledger.epoch += 1
        let row = state.ledger
        if end == .arrivesLate, let late { _ = commit(late, atCommit: true) }
        return row
    }

    /// The connection broke with this flush under way.
    func leave(_ flush: Flush) {
        flushes += 1
        orphan = flush
        if omissions.contains(.askingTheLedger) {
            insert(flush)
        }
    }

    /// Runs the transaction. Returns nil if it was committed.
    func commit(_ flush: Flush, atCommit: Bool) -> DeliveryFault? {
        flushes += 1
        let phase = atCommit ? DeliveryFault.Phase.committing : .sending
        if let fault = refusal(of: flush, phase: phase) {
            refusals += 1
            return fault
        }
        insert(flush)
        state.ledger.position = flush.to
        return nil
    }

    private func insert(_ flush: Flush) {
        for offset in flush.parts.flatMap(offsets) {
            let index = Int(offset.rawValue)
            if index >= state.copies.count {
                state.copies += Array(repeating: 0, count: index + 1 - state.copies.count)
            }
            state.copies[index] += 1
        }
    }

    private func refusal(of flush: Flush, phase: DeliveryFault.Phase) -> DeliveryFault? {
        if !omissions.contains(.compareAndSet),
            state.ledger != LedgerRow(epoch: flush.epoch, position: flush.from)
        {
            return DeliveryFault(phase: phase, cause: .server(ServerError(sqlState: "FB001", message: "fenced")))
        }
        for (index, part) in flush.parts.enumerated() {
            let offsets = offsets(part)
            rowsSent += offsets.count
            if broken.contains(part.layout.stream) {
                let error = ServerError(sqlState: "42P01", message: "relation does not exist")
                return DeliveryFault(phase: phase, cause: .server(error), part: index)
            }
            if let line = offsets.firstIndex(where: poison.contains) {
                return violation(line: line + 1, of: offsets.count, part: part, index: index, phase: phase)
            }
        }
        if flush.parts.contains(where: { offsets($0).contains(where: deferredPoison.contains) }) {
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

    /// In the order in which they are sent.
    private func offsets(_ part: Flush.Part) -> [Offset] {
        let inOrder = part.slices.flatMap { slice in
            let offsets = FakeQueue.offsets(in: slice.chunk.bytes[slice.range])
            precondition(offsets.count == slice.rows && offsets.first == slice.first, "a slice is mislabelled")
            return offsets
        }
        guard let sequence = part.sequence else { return inOrder }
        let sent = sequence.flatMap { place in
            let start = Int(place.start)
            return FakeQueue.offsets(in: part.slices[Int(place.slice)].chunk.bytes[start..<start + Int(place.length)])
        }
        precondition(sent.sorted() == inOrder, "the rows of a part are not sent once each")
        return sent
    }
}
