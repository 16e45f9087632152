import Instruments
import Logging
import NIOCore

extension HTTPConnection {
    /// Writes every answer that is due, in one write; then closes, or sends a 100 that is due.
    func writeAnswers(_ now: NIODeadline) {
        guard link.isOpen, !link.isFinished else { return }
        var closes = false
        while !closes, let ready = answers.popReady() {
            let status = loop.answers.write(ready.answer, ready.question, to: &link.outgoing)
            loop.instruments.countAnswer(status: status)
            if let received = ready.question.received {
                loop.instruments.ackLatency.record(Int((now - received).nanoseconds / 1000))
            }
            closes = ready.question.closes
        }
        if owesContinue, answers.count == 0, !closes {
            owesContinue = false
            link.outgoing.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
        }
        guard link.outgoing.readableBytes > 0 else { return }
        idleSince = now
        if closes {
            phase = .stopped
            link.finish(leavesInput: !isAtEnd)
        } else {
            link.flush()
        }
    }

    /// Everything that was received was understood and answered.
    private var isAtEnd: Bool {
        unread.readableBytes == 0 && !leavesInput && parser.isIdle(unread: 0)
    }

    /// The last answer: nothing that follows on this connection can be understood, or is wanted. A request that has its
    /// answer, and whose rest is wrong, gets no other.
    func fail(_ problem: Problem, _ now: NIODeadline) {
        if case .stopped = phase { return }
        if case .rest = phase {
            leavesInput = true
            return stop()
        }
        if case .body(let partial) = phase, partial.reserved > 0 { loop.budget.release(partial.reserved) }
        if let wait = budgetWait {
            _ = loop.budget.cancel(wait.id)
            budgetWait = nil
        }
        phase = .stopped
        leavesInput = true
        unread = ByteBuffer()
        body = ByteBuffer()
        owesContinue = false
        answers.complete(answers.open(AnswerContext(closes: true)), with: .problem(problem))
    }

    /// Takes nothing more; the connection ends after the last answer, at once if all are written.
    func stop() {
        phase = .stopped
        if !closeAfterLast() { link.finish(leavesInput: !isAtEnd) }
    }

    /// Makes the last open answer the connection's last; false if none is open.
    func closeAfterLast() -> Bool {
        answers.changeLast { $0.closes = true }
    }

    func closeNow() {
        link.closeNow()
    }

    // MARK: - Channel events

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        guard link.endInput() else { return }
        let now = loop.eventLoop.now
        workThroughUnread(now)
        writeAnswers(now)
    }

    /// The peer has sent all that it will: what is complete is answered, what is not is refused.
    ///
    /// - Parameter unread: bytes that were not consumed.
    func endInput(unread: Int, _ now: NIODeadline) {
        switch phase {
        case .head where parser.isIdle(unread: unread), .rest:
            stop()
        case .head:
            fail(.truncated("The connection ended within the head of a request."), now)
        case .body(let partial):
            let announced = partial.length.map { "\($0)" } ?? "an unknown number of"
            fail(
                .truncated("The body ended after \(body.readableBytes) of \(announced) bytes; nothing was accepted."),
                now
            )
        case .stopped:
            break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if link.writabilityDidChange() { resumeReading(loop.eventLoop.now) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection that breaks is the peer's affair; what was taken of it stays with the queue.
        loop.logger.debug("connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: - Time

    func checkDeadlines(_ now: NIODeadline) {
        if link.closeIfLate(now) { return }
        let limits = loop.configuration
        if let wait = budgetWait {
            if now >= wait.since + TimeAmount(limits.budgetTimeout) { endRequest(with: .noMemory, now) }
            return
        }
        guard mayRead else { return }
        switch phase {
        case .head where parser.isIdle(unread: unread.readableBytes):
            guard answers.count == 0 else { return }
            let limit = hasHadRequest ? idleSince + TimeAmount(limits.idleTimeout) : headDeadline
            if now >= limit {
                loop.instruments.connectionsTimedOut.add()
                closeNow()
            }
        case .head, .rest:
            if now >= headDeadline { endRequest(with: .timedOut, now) }
        case .body(let partial):
            if now >= partial.deadline { endRequest(with: .timedOut, now) }
        case .stopped:
            break
        }
    }

    private func endRequest(with problem: Problem, _ now: NIODeadline) {
        loop.instruments.connectionsTimedOut.add()
        fail(problem, now)
        writeAnswers(now)
    }

    func drain(_ now: NIODeadline) {
        isDraining = true
        // Whoever waits for a watermark beyond durable is told what is sure by now.
        for (tag, extra) in extras where extra.acceptance != nil { waitDidEnd(tag, .closing) }
        writeAnswers(now)
        guard case .head = phase, parser.isIdle(unread: unread.readableBytes) else { return }
        stop()
    }
}
