package import Records

/// Which segments may go. Whole segments, oldest first, and never one with a row that is not on all required replicas.
package struct Retention: Hashable, Sendable {
    /// How long rows stay after they were seen to be replicated.
    package var minAge: Duration
    /// How many bytes of replicated segments stay at least.
    package var minBytes: Int

    package init(minAge: Duration, minBytes: Int) {
        self.minAge = minAge
        self.minBytes = minBytes
    }

    /// How many of the first segments may be trimmed.
    ///
    /// - Parameters:
    ///   - segments: by base. `coveredAt` tells when each was first seen to be replicated.
    ///   - end: the durable end of the lane.
    ///   - keepsLast: the lane is written to, so that its last segment stays: its name keeps the offsets.
    ///   - isPressed: the budget is used up: age and bytes yield.
    package func trimmable(
        _ segments: [LaneCatalogue.Segment],
        end: Offset,
        replicated: Offset,
        keepsLast: Bool,
        isPressed: Bool,
        at now: WallTime
    ) -> Int {
        let covered = Self.covered(segments, end: end, replicated: replicated, keepsLast: keepsLast)
        if isPressed { return covered }
        var keptBytes = segments[..<covered].reduce(0) { $0 + $1.bytes }
        for index in 0..<covered {
            keptBytes -= segments[index].bytes
            guard let since = segments[index].coveredAt, now.since(since) >= minAge, keptBytes >= minBytes else {
                return index
            }
        }
        return covered
    }

    /// How many of the first segments have all their rows replicated.
    static func covered(
        _ segments: [LaneCatalogue.Segment],
        end: Offset,
        replicated: Offset,
        keepsLast: Bool
    ) -> Int {
        var count = 0
        while count < segments.count {
            let isLast = count + 1 == segments.count
            if isLast, keepsLast { break }
            let last = isLast ? end : Offset(segments[count + 1].base.rawValue - 1)
            guard last <= replicated else { break }
            count += 1
        }
        return count
    }
}
