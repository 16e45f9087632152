import Records

/// What the world knows of what was promised and of what was recorded.
struct Account {
    /// The highest acknowledged offset of each lane.
    var acknowledged: [LaneKey: Offset] = [:]
    /// Positions whose letters are on disk.
    private(set) var dead: [LaneKey: RangeSet<UInt64>] = [:]
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

    /// How many positions up to `offset` have letters.
    func deadCount(_ lane: LaneKey, upTo offset: Offset) -> Int {
        guard let dead = dead[lane] else { return 0 }
        return dead.ranges.reduce(0) { count, range in
            count + Int(min(range.upperBound, offset.rawValue + 1)) - Int(min(range.lowerBound, offset.rawValue + 1))
        }
    }
}
