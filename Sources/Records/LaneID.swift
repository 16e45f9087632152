/// The number of a lane within its queue, counted from 0.
package struct LaneID: RawRepresentable, Hashable, Comparable, Sendable, Codable {
    package let rawValue: UInt16

    @inlinable
    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    @inlinable
    package init(_ rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package static func < (left: LaneID, right: LaneID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension LaneID: CustomStringConvertible {
    package var description: String { String(rawValue) }
}
