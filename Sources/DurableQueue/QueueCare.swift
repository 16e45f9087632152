import Logging
import Records
import SegmentedLog
import Synchronization

/// One look around the queue. Owner: the housekeeper's thread.
struct QueueCare {
    private var hints: [LaneKey: LaneHints] = [:]
    private var agers: [LaneKey: LaneCursor] = [:]
    private var lastComplaint: [LaneKey: String] = [:]
    /// Lanes that had something to be trimmed when they were last looked after.
    private var held: Set<LaneKey> = []
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
        let (marks, isDraining) = lane.board.withLock { ($0.marks, $0.isDraining) }
        if !lane.catalogue.segments.isEmpty { held.insert(lane.key) }
        let retention = queue.configuration.retention
        let round = LaneMaintenance.Round(
            retention: Retention(minAge: retention.minAge, minBytes: retention.minBytes),
            window: queue.configuration.idempotency.window,
            replicated: marks.trimmable(isPressed: isPressed),
            held: marks.replicated,
            isDraining: isDraining,
            isPressed: isPressed
        )
        let trimmed = try LaneMaintenance(context: queue.context, catalogue: lane.catalogue).look(round, at: .steady)
        if trimmed.quarantined > 0 {
            queue.log.warning(
                "moved damaged segments to quarantine",
                metadata: ["lane": "\(lane.key)", "segments": "\(trimmed.quarantined)"]
            )
        }
        try noteAge(of: lane, committed: marks.committed, queue)
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
                LaneHints(durable: board.durable, marks: board.marks)
            }
            // With another policy what was acknowledged may not be on the disk, and a hint would turn a torn tail into damage.
            if queue.configuration.sync != .always { fresh.durable = .none }
            guard hints[lane.key] != fresh else { continue }
            let compared = fresh
            fresh.written = .now
            do throws(FileFault) {
                try LaneMaintenance(context: queue.context, catalogue: lane.catalogue).write(fresh)
                hints[lane.key] = compared
            } catch {
                complain(.file(error), about: lane, of: queue)
            }
        }
    }

    /// Takes a draining lane that has no segments any more off the roster, and removes what is left of it.
    private mutating func removeIfDrained(_ lane: Lane, of queue: DurableQueue) {
        let isDraining = lane.board.withLock { $0.isDraining }
        guard isDraining, lane.catalogue.segments.isEmpty else { return }
        queue.roster.withLock { roster in
            roster.draining.removeAll { $0.key == lane.key }
            roster.drained.insert(lane.key)
        }
        lane.advance { board in
            board.marks.setCommitted(max(board.marks.committed, board.durable))
            board.marks.setReplicated(board.marks.committed)
        }
        hints[lane.key] = nil
        do throws(FileFault) {
            try LaneMaintenance(context: queue.context, catalogue: lane.catalogue)
                .removeRest(keepsEnd: lane.key.queue == queue.id)
            // One that was drained in an earlier life is met again at each start.
            let level: Logger.Level = held.remove(lane.key) == nil ? .debug : .notice
            queue.log.log(level: level, "the lane is drained", metadata: ["lane": "\(lane.key)"])
        } catch {
            complain(.file(error), about: lane, of: queue)
        }
    }
}
