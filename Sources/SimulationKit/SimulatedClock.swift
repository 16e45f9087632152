import Delivery
package import SegmentedLog

/// Time that passes when the world says so.
package final class SimulatedClock: DeliveryClock {
    package var now = Duration.zero

    package init() {}

    /// The civil time: it began at a fixed moment.
    package var wall: WallTime {
        WallTime(microseconds: 1_700_000_000_000_000 + UInt64(now / .microseconds(1)))
    }

    package var wallTime: Int64 { Int64(wall.rawValue) }
}
