import Delivery
import DurableQueue
import SegmentedLog

/// The machine's clocks, for the delivery. Any thread may ask.
final class MonotonicClock: DeliveryClock, Sendable {
    private let origin = ContinuousClock.now

    /// Since the clock was made; steps of the wall clock move nothing.
    var now: Duration { ContinuousClock.now - origin }

    var wallTime: Int64 { Int64(WallTime.now.rawValue) }
}
