import Glibc

extension Timestamp {
    /// By the machine's clock.
    package static var now: Timestamp {
        var clock = timespec()
        clock_gettime(CLOCK_REALTIME, &clock)
        return Timestamp(
            microseconds: Int64(clock.tv_sec) * microsecondsPerSecond + Int64(clock.tv_nsec / 1000)
        )
    }
}
