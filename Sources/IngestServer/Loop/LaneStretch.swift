/// Which lane a loop's rows go to that may go to any: one for a stretch, then the next.
///
/// What comes in one turn, and most of what comes while that is synced, so becomes one group commit, and yet the lanes fill
/// evenly. A loop begins with a lane of its own.
struct LaneStretch {
    /// Bytes of rows that make a stretch: a block of the queue's log.
    static let bytes = 256 << 10

    /// The number of the lane, to be taken modulo the lanes.
    private(set) var lane: Int
    private var filled = 0

    init(lane: Int) {
        self.lane = lane
    }

    /// Notes rows that were handed over.
    mutating func add(_ bytes: Int) {
        filled += bytes
    }

    /// The next turn may go to another lane.
    mutating func endTurn() {
        guard filled >= Self.bytes else { return }
        filled = 0
        lane += 1
    }
}
