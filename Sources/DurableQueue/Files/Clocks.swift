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

    /// The time of day as it was when the process first asked, carried on by the monotonic clock: for ages within the process. When the system's time of day is set, by
    /// hours even, nothing becomes older or younger by that; what is written down is given the time of day as it is.
    static var steady: WallTime {
        let passed = MonotonicTime.now.microseconds(since: beginning.monotonic)
        return WallTime(microseconds: beginning.wall.rawValue + UInt64(passed))
    }

    private static let beginning = (wall: WallTime.now, monotonic: MonotonicTime.now)
}
