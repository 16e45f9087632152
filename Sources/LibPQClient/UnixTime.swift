import Glibc

/// This machine's wall clock.
enum UnixTime {
    /// Seconds since 1970, UTC.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
