import NIOCore

/// One thread of the load generator: its connections share the prepared requests and the counts.
///
/// Owned by its event loop; every method but the initializer must be called there.
final class LoadWorker: @unchecked Sendable {
    // Sendable because everything in it is touched on its event loop only.

    let plan: LoadPlan
    let eventLoop: any EventLoop
    /// The moment that the schedules count from.
    let start: NIODeadline
    private(set) var requests: PreparedRequests
    var statistics = LoadStatistics()

    init(plan: LoadPlan, requests: PreparedRequests, eventLoop: any EventLoop, start: NIODeadline) {
        self.plan = plan
        self.requests = requests
        self.eventLoop = eventLoop
        self.start = start
    }

    /// Since the start of the run; before it, negative.
    var now: Duration {
        .nanoseconds((NIODeadline.now() - start).nanoseconds)
    }

    func nextRequest(number: UInt64) -> ByteBuffer {
        eventLoop.assertInEventLoop()
        return requests.next(run: plan.run, number: number)
    }
}
