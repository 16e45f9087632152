import Delivery
import Records
import Synchronization

/// A dead-letter store in memory, which tells what is on disk from what a crash would take.
final class FakeDeadLetters: DeadLetterStore {
    private struct Content {
        var letters: [DeadLetter] = []
        /// Letters up to here are on disk.
        var lasting = 0
        var calls = 0
    }

    /// A planted fault: letters reach the disk only with the call after, when the ledger may have passed them.
    private let isLazy: Bool
    private let content = Mutex(Content())
    private let fails: Mutex<@Sendable (Int) -> Int?> = Mutex({ _ in nil })

    init(isLazy: Bool = false) {
        self.isLazy = isLazy
    }

    /// The number of letters of a call that are recorded before it throws; nil for a call that succeeds. Given the number of the call.
    func setFault(_ fault: @escaping @Sendable (Int) -> Int?) {
        fails.withLock { $0 = fault }
    }

    var letters: [DeadLetter] { content.withLock { $0.letters } }
    var lasting: ArraySlice<DeadLetter> { content.withLock { $0.letters[..<$0.lasting] } }

    func crash() {
        content.withLock { $0.letters.removeSubrange($0.lasting...) }
    }

    func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        let call = content.withLock { content in
            content.calls += 1
            return content.calls
        }
        let survivors = fails.withLock { $0(call) }
        content.withLock { content in
            if isLazy { content.lasting = content.letters.count }
            content.letters += letters.prefix(survivors ?? letters.count)
            if !isLazy { content.lasting = content.letters.count }
        }
        if survivors != nil { throw DeadLetterFault("no space left on device") }
    }

    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        content.withLock { content in
            content.letters.filter { $0.lane == lane && $0.range.overlaps(range) }
                .map { $0.range.clamped(to: range) }
                .sorted { $0.lowerBound < $1.lowerBound }
        }
    }
}
