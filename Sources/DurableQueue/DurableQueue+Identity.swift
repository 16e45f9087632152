import Logging
package import Records
import SegmentedLog
import Synchronization

extension DurableQueue {
    /// Goes on under a new queue id with fresh lanes; the old lanes are drained.
    ///
    /// For the case that PostgreSQL's ledger is ahead of the durable end: the directory was restored from an older image, and new events would get
    /// positions that the ledger has passed. Requests that wait go to the new lanes. Blocks until all lanes have switched.
    package func beginNewIdentity() throws(QueueFault) -> QueueID {
        try identityChange.withLock { _ throws(QueueFault) in try switchIdentity() }
    }

    private func switchIdentity() throws(QueueFault) -> QueueID {
        var generator = SystemRandomNumberGenerator()
        let id = QueueID.random(using: &generator)
        var opened: [QueueOpening.OpenedLane] = []
        for writer in writers {
            let key = LaneKey(queue: id, lane: writer.number)
            opened.append(try QueueOpening.open(key, directory, context, log, isDraining: false))
        }
        do throws(FileFault) {
            try context.fileSystem.syncDirectory(directory.lanes)
            try directory.writeIdentity(id, on: context.fileSystem)
        } catch {
            throw .log(.file(error))
        }
        let old = roster.withLock { roster in
            let old = roster.active
            roster.id = id
            roster.active = opened.map(\.lane)
            roster.draining += old
            return (id: old.first?.key.queue, lanes: old)
        }
        let remaining = Monitor(writers.count)
        for (index, writer) in writers.enumerated() {
            guard let first = opened[index].log else { continue }
            writer.succeed(
                with: LaneWriter.Successor(
                    lane: opened[index].lane,
                    start: LaneWriter.Start(first),
                    didSwitch: { remaining.broadcast { $0 -= 1 } }
                )
            )
        }
        _ = remaining.wait { remaining, _ in remaining == 0 ? true : nil }
        // Only now is nobody left who writes to them, so that their last segments may go too.
        for lane in old.lanes { lane.board.withLock { $0.isDraining = true } }
        log.critical(
            "the queue goes on under a new id; the lanes of the old one are drained",
            metadata: ["old": "\(old.id.map(\.description) ?? "")", "new": "\(id)"]
        )
        housekeeper.nudge()
        return id
    }
}
