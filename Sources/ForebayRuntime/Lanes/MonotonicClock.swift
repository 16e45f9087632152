import Delivery
import Glibc

/// The machine's clocks, for the delivery.
final class MonotonicClock: DeliveryClock {
    /// `CLOCK_MONOTONIC`, so that steps of the wall clock move nothing.
    var now: Duration {
        var moment = timespec()
        clock_gettime(CLOCK_MONOTONIC, &moment)
        return .seconds(moment.tv_sec) + .nanoseconds(moment.tv_nsec)
    }

    var wallTime: Int64 {
        var moment = timespec()
        clock_gettime(CLOCK_REALTIME, &moment)
        return Int64(moment.tv_sec) * 1_000_000 + Int64(moment.tv_nsec) / 1000
    }
}
