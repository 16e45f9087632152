import Logging
import Records
import SegmentedLog
import Synchronization

/// One look around the queue. Owner: the housekeeper's thread.
struct QueueCare {
    private var hints: [LaneKey: LaneHints] = [:]
    private var agers: [LaneKey: LaneCursor] = [:]
    private var lastComplaint: [LaneKey: String] = [:]
    private var lastHints = MonotonicTime(nanoseconds: 0)

    /// Does what is to be done; returns the earliest deadline of those who wait.
    mutating func look(after queue: DurableQueue) -> MonotonicTime? {
        let (active, draining) = queue.roster.withLock { ($0.active, $0.draining) }
        let isPressed = queue.isPressed
        for lane in active + draining {
            do throws(LogFault) {
                try look(after: lane, of: queue, isPressed: isPressed)
                lastComplaint[lane.key] = nil
            } catch {
                complain(error, about: lane, of: queue)
            }
        }
        resumeWriters(of: queue)
        writeHints(queue, isLast: false)
        for lane in draining { removeIfDrained(lane, of: queue) }
        let now = MonotonicTime.now
        return (active + draining).compactMap { $0.expireWaiters(at: now) }.min()
    }

    private mutating func look(after lane: Lane, of queue: DurableQueue, isPressed: Bool) throws(LogFault) {
        let (replicated, committed, isDraining) = lane.board.withLock { ($0.replicated, $0.committed, $0.isDraining) }
        let history = KeyHistory(context: queue.context, catalogue: lane.catalogue)
        let maintenance = LaneMaintenance(context: queue.context, catalogue: lane.catalogue)
        _ = try history.writeSidecars()
        let (now, window) = (WallTime.now.seconds, queue.configuration.idempotency.window.components.seconds)
        try history.removeOrphans(olderThan: UInt32(clamping: Int64(now) - window))
        let retention = queue.configuration.retention
        let trimmed = try maintenance.trim(
            Retention(minAge: retention.minAge, minBytes: retention.minBytes),
            replicated: min(replicated, committed),
            keepsLast: !isDraining,
            isPressed: isPressed,
            at: .now
        )
        if trimmed.quarantined > 0 {
            queue.log.warning(
                "moved damaged segments to quarantine",
                metadata: ["lane": "\(lane.key)", "segments": "\(trimmed.quarantined)"]
            )
        }
        if !isDraining { _ = try maintenance.prepareSpare() }
        try noteAge(of: lane, committed: committed, queue)
    }

    /// Finds out when the oldest row that is not committed was written.
    private mutating func noteAge(of lane: Lane, committed: Offset, _ queue: DurableQueue) throws(LogFault) {
        var oldest: WallTime?
        if committed < lane.catalogue.end {
            let cursor = agers[lane.key] ?? LaneCursor(catalogue: lane.catalogue, context: queue.context)
            agers[lane.key] = cursor
            oldest = try cursor.header(of: max(committed.advanced(by: 1), lane.catalogue.first))?.written
        } else {
            agers[lane.key] = nil
        }
        lane.board.withLock { $0.oldestUncommitted = oldest }
    }

    private mutating func complain(_ fault: LogFault, about lane: Lane, of queue: DurableQueue) {
        let text = fault.description
        guard lastComplaint[lane.key] != text else { return }
        lastComplaint[lane.key] = text
        queue.log.error(
            "housekeeping failed; it will be tried again",
            metadata: ["lane": "\(lane.key)", "reason": "\(text)"]
        )
    }

    /// Lets lanes accept again once there is room for a segment, or once their disk takes writes.
    private func resumeWriters(of queue: DurableQueue) {
        for writer in queue.writers where writer.lane.board.withLock({ $0.readOnlyReason != nil }) { writer.revive() }
        for writer in queue.writers where writer.isFull {
            let hasSpare = !writer.lane.catalogue.spares.isEmpty
            if hasSpare || queue.hasRoomForSegment {
                writer.resume()
                queue.log.notice("there is room again", metadata: ["lane": "\(writer.lane.key)"])
            }
        }
    }

    /// Writes the watermark hints of lanes where they have changed, every two seconds and at the end.
    mutating func writeHints(_ queue: DurableQueue, isLast: Bool) {
        let now = MonotonicTime.now
        guard isLast || now.microseconds(since: lastHints) > 2_000_000 else { return }
        lastHints = now
        for lane in queue.roster.withLock({ $0.all }) {
            var fresh = lane.board.withLock { board in
                LaneHints(
                    durable: board.durable,
                    committed: board.committed,
                    replicated: board.replicated,
                    written: WallTime(microseconds: 0)
                )
            }
            // With another policy what was acknowledged may not be on the disk, and a hint would turn a torn tail into damage.
            if queue.configuration.sync != .always { fresh.durable = .none }
            guard hints[lane.key] != fresh else { continue }
            let compared = fresh
            fresh.written = .now
            do throws(FileFault) {
                try fresh.write(lane.catalogue.directory, on: queue.context.fileSystem)
                hints[lane.key] = compared
            } catch {
                complain(.file(error), about: lane, of: queue)
            }
        }
    }

    /// Takes a draining lane that has no segments any more off the roster, and removes what is left of it. Sidecars of keys stay until the window has
    /// passed, a quarantine stays until an operator removes it.
    private mutating func removeIfDrained(_ lane: Lane, of queue: DurableQueue) {
        let isDraining = lane.board.withLock { $0.isDraining }
        guard isDraining, lane.catalogue.segments.isEmpty else { return }
        queue.roster.withLock { roster in
            roster.draining.removeAll { $0.key == lane.key }
            roster.drained.insert(lane.key)
        }
        lane.advance { board in
            board.committed = max(board.committed, board.durable)
            board.replicated = max(board.replicated, board.durable)
        }
        hints[lane.key] = nil
        let fileSystem = queue.context.fileSystem
        let directory = lane.catalogue.directory
        do throws(FileFault) {
            var isEmpty = true
            for name in try fileSystem.list(directory) {
                switch LaneFiles.kind(of: name) {
                case .spare:
                    let bytes = try fileSystem.open("\(directory)/\(name)", .read).size()
                    try fileSystem.remove("\(directory)/\(name)")
                    queue.context.budget.release(bytes)
                case .other where name == LaneFiles.watermarks:
                    try fileSystem.remove("\(directory)/\(name)")
                case .segment, .keys, .other:
                    isEmpty = false
                }
            }
            if isEmpty { try fileSystem.remove(directory) }
            queue.log.notice("the lane is drained", metadata: ["lane": "\(lane.key)"])
        } catch {
            complain(.file(error), about: lane, of: queue)
        }
    }
}
