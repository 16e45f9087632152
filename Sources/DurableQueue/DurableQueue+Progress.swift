import Instruments
import Logging
package import Records
import SegmentedLog
import Synchronization

extension DurableQueue {
    /// The lanes of the directory: those that are written to, and those that are only read until they are empty.
    package struct LaneList: Hashable, Sendable {
        package var active: [LaneKey]
        package var draining: [LaneKey]

        package var all: [LaneKey] { active + draining }
    }

    package var lanes: LaneList {
        roster.withLock { LaneList(active: $0.active.map(\.key), draining: $0.draining.map(\.key)) }
    }

    /// A new reader of a lane, for one thread; nil if there is no such lane.
    package func reader(for key: LaneKey) -> LaneReader? {
        guard let lane = roster.withLock({ $0.lane(key) }) else { return nil }
        let (log, metrics) = (log, metrics)
        return LaneReader(lane: lane, context: context) { range in
            let rows = Int(range.upperBound.rawValue - range.lowerBound.rawValue) + 1
            metrics.lostEvents.add(rows)
            log.critical("rows can't be read from the queue", metadata: ["lane": "\(key)", "lost": "\(range)"])
        }
    }

    /// How far a lane has got; nil if there is no such lane (any more).
    package func progress(of key: LaneKey) -> LaneProgress? {
        roster.withLock { $0.lane(key) }.map(progress)
    }

    func progress(of lane: Lane) -> LaneProgress {
        let pendingRows = writers.first { $0.lane === lane }?.pendingRows ?? 0
        let first = lane.catalogue.first
        let now = WallTime.now
        return lane.board.withLock { board in
            LaneProgress(
                key: lane.key,
                accepted: board.durable.advanced(by: pendingRows),
                durable: board.durable,
                committed: board.marks.committed,
                replicated: board.marks.replicated,
                trimmed: Offset(first.rawValue - 1),
                isDraining: board.isDraining,
                readOnlyReason: board.readOnlyReason,
                oldestUncommitted: board.oldestUncommitted.map { now.since($0) }
            )
        }
    }

    /// The last offset of a lane that no crash brings back; nil if there is no such lane (any more).
    package func gone(of key: LaneKey) -> Offset? {
        roster.withLock { $0.lane(key) }?.catalogue.gone
    }

    /// Notes the position of the primary's ledger. It may go back (a failover), and what is replicated with it.
    ///
    /// - Parameter undecided: what it was put back from, as long as nobody has decided about that.
    package func setCommitted(_ offset: Offset, undecided: Offset = .none, of key: LaneKey) {
        guard let lane = roster.withLock({ $0.lane(key) }) else { return }
        lane.advance { $0.marks.setCommitted(offset, undecided: undecided) }
    }

    /// What the lane's ledger was put back from, as long as nobody has decided about that; none otherwise.
    package func undecided(of key: LaneKey) -> Offset {
        roster.withLock { $0.lane(key) }?.board.withLock { $0.marks.undecided } ?? .none
    }

    /// Notes what all required replicas show. Rows up to here, and committed, may be trimmed.
    package func setReplicated(_ offset: Offset, of key: LaneKey) {
        guard let lane = roster.withLock({ $0.lane(key) }) else { return }
        lane.advance { $0.marks.setReplicated(offset) }
        if writers.contains(where: \.isFull) { housekeeper.nudge() }
    }

    /// Notes what may be trimmed for want of room though a required replica lacks it; none to take that back.
    package func giveUp(_ offset: Offset, of key: LaneKey) {
        guard let lane = roster.withLock({ $0.lane(key) }) else { return }
        lane.board.withLock { $0.marks.giveUp(offset) }
        if offset > .none, writers.contains(where: \.isFull) { housekeeper.nudge() }
    }

    /// Calls `then` exactly once: with true as soon as the lane's watermark covers `position`, with false once `timeout` has passed, the lane is
    /// not known here, or the queue closes. Called on the thread that moved the watermark, the housekeeper's, or the caller's; it must not block.
    package func notify(
        when level: Watermark,
        reaches position: Position,
        within timeout: Duration,
        then: @escaping @Sendable (Bool) -> Void
    ) {
        let key = LaneKey(queue: position.queue, lane: position.lane)
        let (lane, isDrained) = roster.withLock { ($0.lane(key), $0.drained.contains(key)) }
        guard let lane else { return then(isDrained) }
        lane.add(Lane.Waiter(level: level, offset: position.offset, deadline: .after(timeout), body: then))
        if timeout < Housekeeper.period { housekeeper.nudge() }
    }
}
