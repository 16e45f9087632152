import Delivery
import DurableQueue
import Logging
import Records
import Synchronization
import Topology

/// The workers of all lanes, which become more when the queue changes its identity. Any thread may call.
final class LaneCrew: Sendable {
    private struct State {
        var workers: [LaneKey: LaneWorker] = [:]
        var isStopping = false
    }

    private let queue: DurableQueue
    private let state = Mutex(State())

    init(_ queue: DurableQueue) {
        self.queue = queue
    }

    private var workers: [LaneWorker] { state.withLock { Array($0.workers.values) } }

    /// Starts a worker for every lane of the queue that has none.
    func startMissing(_ surroundings: LaneWorker.Surroundings) throws(QueueFault) {
        for key in queue.lanes.all {
            guard let reader = queue.reader(for: key) else { continue }
            let worker = LaneWorker(reader)
            let isNew = state.withLock { state in
                guard !state.isStopping, state.workers[key] == nil else { return false }
                state.workers[key] = worker
                return true
            }
            if isNew { try worker.start(surroundings) }
        }
    }

    func hurry(to position: Position) {
        let key = LaneKey(queue: position.queue, lane: position.lane)
        state.withLock { $0.workers[key] }?.hurry(to: position.offset)
    }

    func primaryChanged(to node: NodeAddress?) {
        for worker in workers { worker.primaryChanged(to: node) }
    }

    /// A lane has been claimed: the others need not wait out their pauses.
    func doorIsOpen(besides lane: LaneKey) {
        for worker in workers where worker.key != lane { worker.doorIsOpen() }
    }

    func tryParkedStreams() {
        for worker in workers { worker.tryParkedStreams() }
    }

    /// Gives an order to the lanes that are named; returns how many there are.
    func resume(_ order: ClaimDecision.Order, in system: ClaimDecision.System, where isMeant: (LaneKey) -> Bool) -> Int
    {
        let meant = workers.filter { isMeant($0.key) }
        for worker in meant { worker.resume(order, in: system) }
        return meant.count
    }

    /// Takes back what was said to all lanes for another cluster.
    func withdraw() {
        for worker in workers { worker.withdraw() }
    }

    /// Ends the worker of a lane that has nothing more to deliver; joined when the crew stops.
    func retire(_ lane: LaneKey) {
        state.withLock { $0.workers[lane] }?.stop()
    }

    /// Ends the flushes, gives them `grace` for that, then breaks them off. No worker is started any more.
    func stop(grace: Duration) {
        let workers = state.withLock { state in
            state.isStopping = true
            return Array(state.workers.values)
        }
        for worker in workers { worker.stop() }
        let clock = MonotonicClock()
        let deadline = clock.now + grace
        for worker in workers { worker.waitForEnd(within: deadline - clock.now) }
        for worker in workers { worker.interruptNow() }
        for worker in workers { worker.join() }
    }
}
