/// The dense number of an event within one lane of one queue; the first event is 1.
///
/// A watermark (durable, committed, replicated, trimmed) is the offset of the last event that it covers,
/// so 0 means "none yet" and `watermark >= offset` means "this event is covered".
package struct Offset: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    package var rawValue: UInt64

    @inlinable
    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    @inlinable
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The watermark that covers no event.
    package static var none: Offset { Offset(0) }

    @inlinable
    package static func < (left: Offset, right: Offset) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The offset `count` events further on.
    @inlinable
    package func advanced(by count: Int) -> Offset {
        Offset(rawValue + UInt64(count))
    }

    /// How many events lie after this watermark up to and including `other`; 0 if `other` is not ahead.
    @inlinable
    package func distance(to other: Offset) -> Int {
        other.rawValue > rawValue ? Int(other.rawValue - rawValue) : 0
    }
}

extension Offset: CustomStringConvertible {
    package var description: String { String(rawValue) }
}
