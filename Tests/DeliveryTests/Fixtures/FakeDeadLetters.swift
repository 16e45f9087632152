import Delivery
import Records
import SimulationKit
import Synchronization

/// A dead-letter store in memory.
final class FakeDeadLetters: DeadLetterStore {
    private struct Content {
        var letters: [DeadLetter] = []
        var positions = RangeSet<UInt64>()
        var calls = 0

        mutating func remember(_ letter: DeadLetter) {
            positions.insert(contentsOf: letter.first.rawValue..<(letter.last.rawValue + 1))
        }
    }

    private let content = Mutex(Content())
    private let doubt = Mutex<String?>(nil)
    private let fails: Mutex<@Sendable (Int) -> Int?> = Mutex({ _ in nil })

    /// The number of letters of a call that are recorded before it throws; nil for a call that succeeds. Given the number of the call.
    func setFault(_ fault: @escaping @Sendable (Int) -> Int?) {
        fails.withLock { $0 = fault }
    }

    /// Why it can't be said whether a letter is there that was not recorded; nil if it can.
    func setDoubt(_ reason: String?) {
        doubt.withLock { $0 = reason }
    }

    var letters: [DeadLetter] { content.withLock { $0.letters } }

    func record(_ letters: [DeadLetter]) throws(DeadLetterFault) {
        let call = content.withLock { content in
            content.calls += 1
            return content.calls
        }
        let survivors = fails.withLock { $0(call) }
        content.withLock { content in
            for letter in letters.prefix(survivors ?? letters.count) {
                content.letters.append(letter)
                content.remember(letter)
            }
        }
        if survivors != nil { throw DeadLetterFault("no space left on device") }
    }

    func endDoubts(of lane: LaneKey) throws(DeadLetterFault) {
        if let reason = doubt.withLock({ $0 }) { throw DeadLetterFault(reason) }
    }

    func recorded(_ lane: LaneKey, in range: ClosedRange<Offset>) -> [ClosedRange<Offset>] {
        content.withLock { content in
            let asked = RangeSet(range.lowerBound.rawValue..<(range.upperBound.rawValue + 1))
            return content.positions.intersection(asked).ranges
                .map { Offset($0.lowerBound)...Offset($0.upperBound - 1) }
        }
    }
}
