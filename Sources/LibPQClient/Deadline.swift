/// A moment on the monotonic clock by which a call has to be done.
package struct Deadline: Hashable, Sendable {
    private let instant: ContinuousClock.Instant

    private init(instant: ContinuousClock.Instant) {
        self.instant = instant
    }

    /// The moment `duration` from now.
    package static func after(_ duration: Duration) -> Deadline {
        Deadline(instant: .now + duration)
    }

    /// Milliseconds left, rounded up, as `poll(2)` takes them; 0 once the moment has passed.
    var millisecondsLeft: Int32 {
        let left = (instant - .now).components
        if left.seconds < 0 || left.attoseconds < 0 {
            return 0
        }
        if left.seconds > 1_000_000 {
            return 1_000_000_000
        }
        return Int32(left.seconds * 1000 + (left.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
