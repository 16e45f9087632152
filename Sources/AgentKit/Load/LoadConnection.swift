import DirectSockets
import NIOCore
import NIOPosix

/// One connection of the load generator: starts its requests when its schedule says so, and notes when they are answered.
/// Connects again when it breaks; requests that were meant to start meanwhile start late, and their latency says so.
///
/// Owned by the worker's event loop.
final class LoadConnection: ChannelInboundHandler, @unchecked Sendable {
    // Sendable because everything in it is touched on its event loop only.
    typealias InboundIn = ByteBuffer

    private enum State {
        case closed
        case connecting
        case open(ChannelHandlerContext)
        case finished
    }

    private struct Outstanding {
        var intended: Duration
        /// Events that are not answered yet.
        var events: Int
        /// Over TCP, of events that were refused: 503 if they may be sent again, else 400, in the terms of HTTP.
        var refusal: Int?
    }

    private let worker: LoadWorker
    private let number: Int
    private let finished: EventLoopPromise<Void>
    private var schedule: LoadSchedule
    private var responses = ResponseParser()
    private var lineAnswers = LineAnswerParser()
    private let writer = DirectWriter()
    private var state = State.closed
    private var outstanding = CircularBuffer<Outstanding>()
    private var wakeUp: Scheduled<Void>?
    private var eventNumber: UInt64

    init(worker: LoadWorker, number: Int) {
        self.worker = worker
        self.number = number
        schedule = worker.plan.schedule(of: number)
        finished = worker.eventLoop.makePromise()
        // 2^40 events a connection before numbers would meet.
        eventNumber = UInt64(number) << 40
    }

    /// Succeeds when the schedule is over and nothing is outstanding, or when ``giveUp()`` was called.
    var whenFinished: EventLoopFuture<Void> { finished.futureResult }

    func connect() {
        worker.eventLoop.assertInEventLoop()
        guard case .closed = state else { return }
        state = .connecting
        ClientBootstrap(group: worker.eventLoop)
            .connectTimeout(.seconds(2))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(self) }
            }
            .connect(host: worker.plan.host, port: worker.plan.port)
            .whenFailure { error in self.broke(Self.describe(error)) }
    }

    /// The run is over: whatever is still outstanding, or should have started, stays unanswered.
    func giveUp() {
        worker.eventLoop.assertInEventLoop()
        if case .finished = state { return }
        dropOutstanding()
        while case .start(let intended) = schedule.turn(at: worker.now) {
            worker.statistics.lost(intended: intended, plan: worker.plan)
        }
        finish()
    }

    func channelActive(context: ChannelHandlerContext) {
        guard case .connecting = state else {
            context.close(promise: nil)
            return
        }
        state = .open(context)
        responses = ResponseParser()
        lineAnswers = LineAnswerParser()
        writer.attach(context)
        if worker.plan.wire == .tcp {
            let token = worker.plan.token.map { ",\"token\":\"\($0)\"" } ?? ""
            let hello = "{\"forebay\":{\"stream\":\"\(worker.plan.stream)\",\"ack\":true\(token)}}\n"
            writer.write(ByteBuffer(string: hello), to: context)
        }
        startDue()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let now = worker.now
        let fault = buffer.withUnsafeReadableBytes { bytes in read(bytes, at: now) }
        if let fault {
            worker.statistics.fault(fault)
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        startDue()
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.detach()
        if case .open = state {
            broke("connection closed")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        worker.statistics.fault(Self.describe(error))
        context.close(promise: nil)
    }

    /// Returns what is wrong with the bytes, if anything is.
    private func read(_ all: UnsafeRawBufferPointer, at now: Duration) -> String? {
        var bytes = all
        do {
            switch worker.plan.wire {
            case .http:
                while let response = try responses.next(from: &bytes) {
                    guard let request = outstanding.popFirst() else { return "answer without a request" }
                    record(request, status: response.status, events: request.events, at: now)
                    if response.closes { return "closed by the server after \(response.status)" }
                }
            case .tcp:
                while let answer = try lineAnswers.next(from: &bytes) {
                    switch answer {
                    case .acknowledged(let lines, _):
                        answered(lines, refusal: nil, at: now)
                    case .refused(let lines, let retry, let reason):
                        guard lines > 0 else { return "refused: \(reason.prefix(200))" }
                        answered(lines, refusal: retry ? 503 : 400, at: now)
                    }
                }
            }
        } catch {
            return "unreadable answer: \(error)"
        }
        return nil
    }

    /// Over TCP an answer covers lines, which may be parts of requests or several of them.
    private func answered(_ lines: Int, refusal: Int?, at now: Duration) {
        var left = lines
        while left > 0, var request = outstanding.first {
            let covered = min(left, request.events)
            left -= covered
            request.events -= covered
            request.refusal = request.refusal ?? refusal
            if request.events == 0 {
                outstanding.removeFirst()
                record(request, status: request.refusal ?? 200, events: worker.plan.batch, at: now)
            } else {
                outstanding[outstanding.startIndex] = request
            }
        }
    }

    private func record(_ request: Outstanding, status: Int, events: Int, at now: Duration) {
        worker.statistics.answered(
            status: status,
            events: events,
            intended: request.intended,
            now: now,
            plan: worker.plan
        )
    }

    /// Starts what is due, as far as the depth allows, and sets the clock for the next.
    private func startDue() {
        guard case .open(let context) = state else { return }
        starting: while outstanding.count < worker.plan.depth {
            switch schedule.turn(at: worker.now) {
            case .start(let intended):
                let request = worker.nextRequest(number: eventNumber)
                eventNumber += UInt64(worker.plan.batch)
                outstanding.append(Outstanding(intended: intended, events: worker.plan.batch))
                writer.write(request, to: context)
            case .wait(let moment):
                if wakeUp == nil {
                    wakeUp = context.eventLoop.scheduleTask(deadline: worker.start + TimeAmount(moment)) {
                        self.wakeUp = nil
                        self.startDue()
                    }
                }
                break starting
            case .over:
                if outstanding.isEmpty { finish() }
                break starting
            }
        }
        writer.flush(context)
    }

    private func broke(_ reason: String) {
        if case .finished = state { return }
        worker.statistics.fault(reason)
        dropOutstanding()
        state = .closed
        if schedule.hasMore(at: worker.now) {
            worker.eventLoop.scheduleTask(in: .milliseconds(50)) { self.connect() }
        } else {
            finish()
        }
    }

    private func dropOutstanding() {
        for request in outstanding {
            worker.statistics.lost(intended: request.intended, plan: worker.plan)
        }
        outstanding.removeAll()
    }

    private func finish() {
        let before = state
        state = .finished
        wakeUp?.cancel()
        wakeUp = nil
        if case .open(let context) = before {
            context.close(promise: nil)
        }
        finished.succeed()
    }

    private static func describe(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            "cannot connect: \(error.connectionErrors.first.map { "\($0.error)" } ?? "\(error)")"
        default: "\(error)"
        }
    }
}
