import Delivery
import Records

/// Keeps letters in memory, and writes them when the next ones come: by then the ledger may have passed their rows.
final class LetterAfterLedger: DeadLetterStore, @unchecked Sendable {
    // Sendable because a world, or a test, uses it on one thread.
    private let store: any DeadLetterStore
    private var held: [DeadLetter] = []

    init(_ store: any DeadLetterStore) {
        self.store = store
    }

    func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        try store.record(held)
        held = letters
    }

    func endDoubts(of lane: LaneKey) throws(DeadLetterFault) {
        try store.endDoubts(of: lane)
    }

    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        let waiting = held.filter { $0.lane == lane && $0.range.overlaps(range) }.map { $0.range.clamped(to: range) }
        return (store.recorded(lane, in: range) + waiting).sorted { $0.lowerBound < $1.lowerBound }
    }
}
