import Glibc
package import SegmentedLog

/// A point of the kernel's monotonic clock, in nanoseconds.
package struct MonotonicTime: Hashable, Comparable {
    var nanoseconds: UInt64

    package static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// The point that lies `duration` ahead of now.
    package static func after(_ duration: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0 else { return now }
        // A wait of more than a century is as good as one for ever.
        let bounded = UInt64(min(seconds, 3_000_000_000))
        return MonotonicTime(
            nanoseconds: now.nanoseconds + bounded * 1_000_000_000 + UInt64(max(0, attoseconds)) / 1_000_000_000
        )
    }

    func microseconds(since earlier: MonotonicTime) -> Int {
        nanoseconds > earlier.nanoseconds ? Int((nanoseconds - earlier.nanoseconds) / 1000) : 0
    }

    /// For the calls of the system.
    var systemTime: timespec {
        timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension WallTime {
    /// The time of day, as the system has it.
    package static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(microseconds: UInt64(max(0, time.tv_sec)) * 1_000_000 + UInt64(time.tv_nsec) / 1000)
    }
}
