package import Records

/// The names within a lane's directory.
package enum LaneFiles {
    package static let watermarks = "WATERMARKS"
    package static let quarantine = "quarantine"
    /// Leaves numbers for more spares than a lane will ever have.
    private static let highestSpare = Int.max / 2

    /// What a name stands for.
    package enum Kind: Hashable, Sendable {
        case segment(base: Offset)
        case keys(base: Offset)
        case spare(number: Int)
        case other
    }

    package static func directoryName(of key: LaneKey) -> String { key.description }

    /// The lane of a directory name; nil if it is none.
    package static func laneKey(ofDirectory name: String) -> LaneKey? {
        guard let dot = name.lastIndex(of: "."), let queue = QueueID(name[..<dot]),
            let lane = UInt16(name[name.index(after: dot)...])
        else { return nil }
        let key = LaneKey(queue: queue, lane: LaneID(lane))
        return directoryName(of: key) == name ? key : nil
    }

    package static func segment(_ base: Offset) -> String { padded(base) + ".segment" }
    package static func keys(_ base: Offset) -> String { padded(base) + ".keys" }
    package static func spare(_ number: Int) -> String { "spare-\(number).tmp" }

    package static func kind(of name: String) -> Kind {
        if let base = offset(name, suffix: ".segment") { return .segment(base: base) }
        if let base = offset(name, suffix: ".keys") { return .keys(base: base) }
        if name.hasPrefix("spare-"), name.hasSuffix(".tmp"), let number = Int(name.dropFirst(6).dropLast(4)),
            number > 0, number <= highestSpare, name == spare(number)
        {
            return .spare(number: number)
        }
        return .other
    }

    private static func padded(_ base: Offset) -> String {
        let digits = String(base.rawValue)
        return String(repeating: "0", count: 20 - digits.count) + digits
    }

    private static func offset(_ name: String, suffix: String) -> Offset? {
        guard name.hasSuffix(suffix) else { return nil }
        let digits = name.dropLast(suffix.count)
        guard digits.utf8.count == 20, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let value = UInt64(digits), value > 0, Offset(value) < .unreachable
        else { return nil }
        return Offset(value)
    }
}
