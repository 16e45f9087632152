/// A point of civil time: microseconds since 1970-01-01 UTC. It may jump; it orders nothing, it only ages things.
package struct WallTime: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(microseconds: UInt64) {
        rawValue = microseconds
    }

    /// Whole seconds since 1970; what a key entry holds.
    package var seconds: UInt32 { UInt32(clamping: rawValue / 1_000_000) }

    /// How long after `earlier` this is; zero if it is not after it.
    package func since(_ earlier: WallTime) -> Duration {
        rawValue > earlier.rawValue ? .microseconds(Int64(clamping: rawValue - earlier.rawValue)) : .zero
    }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.rawValue < right.rawValue
    }
}
