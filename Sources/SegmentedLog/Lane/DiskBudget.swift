import Synchronization

/// How much of the disk the queue may use, and how much it does. Any thread may ask.
///
/// Only segments and spares ask for room: they are the bulk. Everything small (sidecars, layouts, dead letters) is counted but
/// never refused; it lives in the reserve, so that draining and trimming never need space that is not there.
package final class DiskBudget: Sendable {
    /// Bytes that the directory may take, the reserve included.
    package let limit: Int
    /// Bytes within `limit`, and of the file system's free space, that segments do not get.
    package let reserve: Int
    private let used: Mutex<Int>

    package init(limit: Int, reserve: Int, used: Int = 0) {
        self.limit = limit
        self.reserve = reserve
        self.used = Mutex(used)
    }

    /// Counts `bytes` for a segment, if they fit beside the reserve.
    package func claim(_ bytes: Int) -> Bool {
        used.withLock { used in
            guard used + bytes <= limit - reserve else { return false }
            used += bytes
            return true
        }
    }

    /// Counts bytes that are there whether they fit or not.
    package func add(_ bytes: Int) {
        used.withLock { $0 += bytes }
    }

    package func release(_ bytes: Int) {
        used.withLock { $0 = max(0, $0 - bytes) }
    }

    /// Whether a claim of `bytes` would succeed now.
    package func hasRoom(for bytes: Int) -> Bool {
        used.withLock { $0 + bytes <= limit - reserve }
    }

    package var usedBytes: Int { used.withLock { $0 } }

    /// A segment size for a budget: `largest`, or so much less that each lane has room for 16 segments, but not below 256 KiB.
    package static func segmentBytes(largest: Int, limit: Int, reserve: Int, lanes: Int) -> Int {
        let share = max(0, limit - reserve) / (16 * max(1, lanes))
        guard largest > share else { return largest }
        var size = 256 << 10
        while size * 2 <= share { size *= 2 }
        return min(size, largest)
    }

    /// The reserve for a budget of which nothing else is said: a sixteenth, 256 MiB at most.
    package static func standardReserve(limit: Int) -> Int {
        min(limit / 16, 256 << 20)
    }
}
