/// Where an event stands: queue, lane and offset. Its text form `<queue>.<lane>.<offset>` is the receipt.
///
/// A receipt names the last event of a request, so a state whose ledger shows at least that offset
/// for that queue and lane holds the whole request.
package struct Position: Hashable, Sendable {
    package let queue: QueueID
    package let lane: LaneID
    package let offset: Offset

    package init(queue: QueueID, lane: LaneID, offset: Offset) {
        self.queue = queue
        self.lane = lane
        self.offset = offset
    }

    /// Parses a receipt; nil unless it has exactly the form that `description` prints.
    package init?(receipt: some StringProtocol) {
        let parts = receipt.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            let queue = QueueID(parts[0]),
            let lane = UInt16(parts[1]),
            let offset = UInt64(parts[2])
        else { return nil }
        self.init(queue: queue, lane: LaneID(lane), offset: Offset(offset))
    }
}

extension Position: CustomStringConvertible {
    package var description: String { "\(queue).\(lane).\(offset)" }
}
