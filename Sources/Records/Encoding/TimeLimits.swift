/// The range of `date`, in days from 2000-01-01 (PostgreSQL's `datatype/timestamp.h`).
package enum DateLimits {
    /// 4714-11-24 BC.
    package static let first = -2_451_545
    /// 5874897-12-31.
    package static let last = 2_145_031_948
    package static let infinity = Int32.max
    package static let minusInfinity = Int32.min
}

/// The range of `timestamp` and `timestamptz`, in microseconds from 2000-01-01 (PostgreSQL's `datatype/timestamp.h`).
package enum TimestampLimits {
    /// 4714-11-24 00:00:00 BC.
    package static let first: Int64 = -211_813_488_000_000_000
    /// One past 294276-12-31 23:59:59.999999.
    package static let end: Int64 = 9_223_371_331_200_000_000
    package static let infinity = Int64.max
    package static let minusInfinity = Int64.min

    /// A finite instant that PostgreSQL can hold.
    @inlinable
    package static func contains(_ microseconds: Int64) -> Bool {
        microseconds >= first && microseconds < end
    }
}
