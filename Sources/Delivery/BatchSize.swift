/// How many rows the next flush takes: grows while flushes are quick, shrinks when they are slow or refused.
///
/// Doubles only after a flush that was at least half full has landed, and halves at each refusal: that pair bounds what bad rows cost
/// (see "Flush outcomes", "Finding the bad row").
struct BatchSize: Equatable {
    private let maximum: Int
    private let target: Duration
    private(set) var rows: Int

    /// Slowness alone does not push a flush below this: then it is the round trip that is slow.
    private static let slowFloor = 100

    init(initial: Int, maximum: Int, target: Duration) {
        rows = initial
        self.maximum = maximum
        self.target = target
    }

    /// - Parameter duration: nil if it is not known how long the flush took.
    mutating func landed(rows sent: Int, duration: Duration?) {
        guard let duration else { return }
        if duration > target {
            let fitting = Int(Double(sent) * (target / duration))
            rows = min(rows, max(fitting, rows / 2, min(rows, Self.slowFloor), 1))
        } else if sent * 2 >= rows, duration * 2 < target {
            rows = min(maximum, rows * 2)
        }
    }

    /// A flush of `sent` rows was refused for one of them.
    mutating func refused(rows sent: Int) {
        rows = max(1, min(rows, sent / 2))
    }
}
