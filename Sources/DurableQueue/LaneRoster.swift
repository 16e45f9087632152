import Records

/// The lanes of the queue directory. Guarded by the queue's lock.
struct LaneRoster {
    var id: QueueID
    /// Those written to, by number.
    var active: [Lane]
    /// Those of other queue ids or beyond the number of lanes: read and trimmed until they are empty.
    var draining: [Lane]
    /// Lanes that were drained and removed since the start.
    var drained: Set<LaneKey> = []

    var all: [Lane] { active + draining }

    func lane(_ key: LaneKey) -> Lane? {
        if key.queue == id, Int(key.lane.rawValue) < active.count { return active[Int(key.lane.rawValue)] }
        return draining.first { $0.key == key }
    }
}
