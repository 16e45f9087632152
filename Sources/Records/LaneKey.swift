/// A lane of a particular queue: the key of a ledger row.
///
/// A queue directory may hold lanes of several queue ids: those of its own, and those it still has to drain.
package struct LaneKey: Hashable, Sendable {
    package let queue: QueueID
    package let lane: LaneID

    package init(queue: QueueID, lane: LaneID) {
        self.queue = queue
        self.lane = lane
    }

    package func position(_ offset: Offset) -> Position {
        Position(queue: queue, lane: lane, offset: offset)
    }
}

extension LaneKey: CustomStringConvertible {
    package var description: String { "\(queue).\(lane)" }
}
