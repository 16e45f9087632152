import Records

/// What the world knows of what was promised and of what was recorded.
struct Account {
    /// The highest acknowledged offset of each lane.
    var acknowledged: [LaneKey: Offset] = [:]
    /// Positions whose letters are on disk.
    private(set) var dead: [LaneKey: RangeSet<UInt64>] = [:]
    /// Positions that were reported as lost; they count as dead too.
    private(set) var lost: [LaneKey: RangeSet<UInt64>] = [:]
    /// How far each lane was trimmed.
    var trimmed: [LaneKey: Offset] = [:]
    private var excuses: [LaneKey: Offset] = [:]
    /// Something was trimmed for want of room.
    var wasPressed = false
    /// Where each event was met in the queue.
    var places: [EventID: Position] = [:]
    /// Events whose letters were retried: they stand in the queue again.
    var retried: Set<EventID> = []

    func isDead(_ lane: LaneKey, _ offset: Offset) -> Bool {
        dead[lane]?.contains(offset.rawValue) ?? false
    }

    mutating func bury(_ lane: LaneKey, _ range: ClosedRange<Offset>) {
        dead[lane, default: RangeSet()].insert(contentsOf: range.lowerBound.rawValue..<(range.upperBound.rawValue + 1))
    }

    func isLost(_ lane: LaneKey, _ offset: Offset) -> Bool {
        lost[lane]?.contains(offset.rawValue) ?? false
    }

    mutating func lose(_ lane: LaneKey, _ range: ClosedRange<Offset>) {
        lost[lane, default: RangeSet()].insert(contentsOf: range.lowerBound.rawValue..<(range.upperBound.rawValue + 1))
    }

    /// How many of the lost positions of a lane are of this kind.
    func lostCount(_ lane: LaneKey, where isMeant: (Offset) -> Bool) -> Int {
        (lost[lane]?.ranges ?? RangeSet<UInt64>().ranges).reduce(0) { count, range in
            count + range.count { isMeant(Offset($0)) }
        }
    }

    /// Up to here nodes may lack what was trimmed.
    func excused(_ lane: LaneKey) -> Offset { excuses[lane] ?? .none }

    mutating func excuse(_ lane: LaneKey, upTo offset: Offset) {
        excuses[lane] = max(excused(lane), offset)
    }

    /// How many positions up to `offset` have letters.
    func deadCount(_ lane: LaneKey, upTo offset: Offset) -> Int {
        guard let dead = dead[lane] else { return 0 }
        return dead.ranges.reduce(0) { count, range in
            count + Int(min(range.upperBound, offset.rawValue + 1)) - Int(min(range.lowerBound, offset.rawValue + 1))
        }
    }
}
