import Instruments
import Logging
import Records
import SegmentedLog
import Synchronization

/// The thread of a lane: takes all that waits, commits it as a group, tells everyone who waited.
final class LaneWriter: Sendable {
    private struct Inbox {
        var requests: [AppendRequest] = []
        /// Rows of requests that have no outcome yet, those being committed included.
        var pendingRows = 0
        var isClosing = false
        /// A read-only lane is to try again.
        var isToRevive = false
        /// The log to go on in, and whom to tell when it is in use.
        var successor: Successor?
    }

    /// A log on its way to the lane's thread.
    struct Start: @unchecked Sendable {
        // Sendable because the log goes from the thread that opened it to the lane's thread, which owns it from then on.
        let log: LaneLog

        init(_ log: LaneLog) {
            self.log = log
        }
    }

    struct Successor: Sendable {
        var lane: Lane
        var start: Start
        var didSwitch: @Sendable () -> Void
    }

    /// What the writer shares with the queue.
    struct Surroundings: Sendable {
        var metrics: QueueMetrics
        var pending: PendingBytes
        var keys: KeyWindow
        var sync: SyncPolicy
        var log: Logger
        /// Wakes the housekeeper: a segment was sealed, or there is no room.
        var needsCare: @Sendable () -> Void
    }

    let number: LaneID
    private let inbox = Monitor(Inbox())
    private let current: Mutex<Lane>
    private let surroundings: Surroundings
    private let full = Atomic<Bool>(false)
    private let readOnly = Atomic<Bool>(false)
    /// Requests lie in the inbox that the thread was not woken for.
    private let owesWake = Atomic<Bool>(false)

    init(number: LaneID, lane: Lane, surroundings: Surroundings) {
        self.number = number
        current = Mutex(lane)
        self.surroundings = surroundings
    }

    /// The lane that is being written.
    var lane: Lane { current.withLock { $0 } }

    /// There was no room for a segment; requests are refused until `resume`.
    var isFull: Bool { full.load(ordering: .relaxed) }

    /// Requests are not refused as things stand. Asked for every one of them.
    var takesRequests: Bool { !isFull && !readOnly.load(ordering: .relaxed) }

    func resume() {
        full.store(false, ordering: .relaxed)
    }

    var pendingRows: Int { inbox.withLock { $0.pendingRows } }

    /// Hands a request to the thread. False if the lane takes none any more. Never blocks for longer than another `accept`.
    ///
    /// - Parameter wakes: false lets a sleeping thread sleep until `commitAccepted`; one that is awake may take the request anyway.
    func accept(_ request: AppendRequest, wakes: Bool) -> Bool {
        let isAccepted = inbox.withLock { inbox in
            guard !inbox.isClosing else { return false }
            inbox.requests.append(request)
            inbox.pendingRows += request.batch.rowCount
            return true
        }
        guard isAccepted else { return false }
        owesWake.store(true, ordering: .releasing)
        if wakes { commitAccepted() }
        return true
    }

    /// Wakes the thread if requests were left lying.
    func commitAccepted() {
        guard owesWake.load(ordering: .relaxed), owesWake.exchange(false, ordering: .acquiring) else { return }
        inbox.signal { !$0.requests.isEmpty }
    }

    /// Makes the thread go on in another log as soon as what it is doing is done.
    func succeed(with successor: Successor) {
        inbox.signal { inbox in
            inbox.successor = successor
            return true
        }
    }

    /// Makes the thread finish what waits, sync, and end.
    func finish() {
        inbox.signal { inbox in
            inbox.isClosing = true
            return true
        }
    }

    /// Makes the thread of a read-only lane try whether it can be written again.
    func revive() {
        inbox.signal { inbox in
            inbox.isToRevive = true
            return true
        }
    }

    private enum Order {
        case commit
        case revive
        case succeed(Successor)
        case close
    }

    /// The thread's life.
    func run(_ start: Start) {
        var log = start.log
        var work: [AppendRequest] = []
        var completions = Completions()
        var syncDue: MonotonicTime?
        while true {
            let order = inbox.wait(until: syncDue) { inbox, _ -> Order? in
                if let successor = inbox.successor {
                    inbox.successor = nil
                    return .succeed(successor)
                }
                if !inbox.requests.isEmpty {
                    swap(&inbox.requests, &work)
                    return .commit
                }
                if inbox.isToRevive {
                    inbox.isToRevive = false
                    return .revive
                }
                return inbox.isClosing ? .close : nil
            }
            switch order {
            case .commit:
                commit(work, to: log, &completions)
                work.removeAll(keepingCapacity: work.count < 65_536)
            case .revive:
                log.revive(at: .now)
                noteState(of: log)
            case .succeed(let successor):
                close(log)
                log = successor.start.log
                current.withLock { $0 = successor.lane }
                noteState(of: log)
                resume()
                successor.didSwitch()
            case .close:
                close(log)
                return
            case nil:
                sync(log)
                syncDue = nil
            }
            if case .interval(let interval) = surroundings.sync, syncDue == nil, log.needsSync {
                syncDue = .after(interval)
            }
            if let due = syncDue, due <= .now {
                sync(log)
                syncDue = nil
            }
        }
    }

    private func sync(_ log: LaneLog) {
        complain(log.sync(at: .now), about: log)
    }

    private func close(_ log: LaneLog) {
        complain(log.close(at: .now), about: log)
    }

    private func complain(_ reason: String?, about log: LaneLog) {
        guard let reason else { return }
        surroundings.metrics.failedCommits.add()
        surroundings.log.critical(
            "a sync of acknowledged rows failed",
            metadata: ["lane": "\(lane.key)", "reason": "\(reason)"]
        )
        noteState(of: log)
    }

    /// Commits all of `work`, group by group.
    private func commit(_ work: [AppendRequest], to log: LaneLog, _ completions: inout Completions) {
        let lane = lane
        var start = 0
        while start < work.count {
            let result = log.append(work, from: start, at: .now)
            let requests = work[start..<start + result.taken]
            let rows = settle(requests, result, lane, &completions)
            start += result.taken
            noteState(of: log)
            inbox.withLock { inbox in
                inbox.pendingRows -= requests.reduce(0) { $0 + $1.batch.rowCount }
            }
            // Readers and waiters first see the rows, then the agents are answered.
            if case .durable = result.ending, rows > 0 {
                let end = log.catalogue.end
                lane.advance { $0.durable = end }
            }
            completions.send()
            surroundings.pending.release(requests.reduce(0) { $0 + PendingBytes.cost(of: $1.batch) })
        }
    }

    /// Turns the result of a group into an outcome for each of its requests; returns the rows that became durable.
    private func settle(
        _ requests: ArraySlice<AppendRequest>,
        _ result: LaneLog.GroupResult,
        _ lane: Lane,
        _ completions: inout Completions
    ) -> Int {
        let metrics = surroundings.metrics
        switch result.ending {
        case .durable:
            var last = Offset(result.first.rawValue - 1)
            for index in requests.indices {
                let request = requests[index]
                if let reason = result.refused[index] {
                    metrics.failedRequests.add()
                    report(.failed(reason: reason), for: request, &completions)
                    continue
                }
                last = last.advanced(by: request.batch.rowCount)
                let outcome = AppendOutcome.durable(
                    last: lane.key.position(last),
                    count: request.batch.rowCount,
                    repeated: false
                )
                report(outcome, for: request, &completions)
            }
            let rows = Int(last.rawValue + 1 - result.first.rawValue)
            guard rows > 0 else { return 0 }
            metrics.commits.add()
            metrics.commitEvents.record(rows)
            metrics.commitBytes.record(result.bytes)
            metrics.writtenBytes.add(result.bytes)
            metrics.acceptedEvents.add(rows)
            metrics.acceptedRequests.add(requests.count - result.refused.count)
            return rows
        case .full:
            full.store(true, ordering: .relaxed)
            metrics.fullRequests.add(requests.count)
            surroundings.log.warning(
                "no room for another segment; refusing until there is",
                metadata: ["lane": "\(lane.key)"]
            )
            for request in requests { report(.full, for: request, &completions) }
            surroundings.needsCare()
        case .failed(let reason):
            metrics.failedCommits.add()
            metrics.failedRequests.add(requests.count)
            surroundings.log.critical(
                "a group commit failed",
                metadata: ["lane": "\(lane.key)", "reason": "\(reason)"]
            )
            for request in requests { report(.failed(reason: reason), for: request, &completions) }
        }
        return 0
    }

    /// Notes the outcome for the one who asked, and for those who asked the same while it was under way.
    private func report(_ outcome: AppendOutcome, for request: AppendRequest, _ completions: inout Completions) {
        completions.add(request.sink, request.token, outcome)
        guard let keyed = request.keyed else { return }
        for waiter in surroundings.keys.settle(keyed, outcome) {
            completions.add(waiter.sink, waiter.token, waiter.outcome)
        }
    }

    private func noteState(of log: LaneLog) {
        let reason = log.readOnlyReason
        readOnly.store(reason != nil, ordering: .relaxed)
        let lane = lane
        let isNews = lane.board.withLock { board in
            defer { board.readOnlyReason = reason }
            return (board.readOnlyReason == nil) != (reason == nil)
        }
        if isNews {
            if let reason {
                surroundings.log.critical(
                    "the lane is read-only",
                    metadata: ["lane": "\(lane.key)", "reason": "\(reason)"]
                )
            } else {
                surroundings.log.notice("the lane can be written again", metadata: ["lane": "\(lane.key)"])
            }
        }
    }
}
