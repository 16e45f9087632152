import Instruments
import Logging
import NIOCore

extension HTTPConnection {
    /// Writes every answer that is due, in one write; then closes, or sends a 100 that is due.
    func writeAnswers(_ now: NIODeadline) {
        guard let context, !isClosing else { return }
        var closes = false
        while !closes, let ready = answers.popReady() {
            let status = loop.answers.write(ready.answer, ready.context, to: &outgoing)
            loop.instruments.countAnswer(status: status)
            if let received = ready.received {
                loop.instruments.ackLatency.record(Int((now - received).nanoseconds / 1000))
            }
            closes = ready.context.closes
        }
        if owesContinue, answers.count == 0, !closes {
            owesContinue = false
            outgoing.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
        }
        guard outgoing.readableBytes > 0 else { return }
        idleSince = now
        guard closes else {
            context.writeAndFlush(wrapOutboundOut(outgoing), promise: nil)
            outgoing.clear()
            return
        }
        isClosing = true
        let isClean = isAtEnd
        phase = .stopped
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            if isClean { self.closeNow() } else { self.linger() }
        }
        context.writeAndFlush(wrapOutboundOut(outgoing), promise: written)
        outgoing = ByteBuffer()
    }

    /// Everything that was received was understood and answered: closing can't destroy an answer on its way.
    private var isAtEnd: Bool {
        unread.readableBytes == 0 && !leavesInput && (inputEnded || parser.isIdle(unread: 0))
    }

    /// Ends the sending side, and reads what the peer still sends into nothing for a while: closing on unread bytes would reset
    /// the connection, and the reset could overtake the answer (RFC 9112, section 9.6).
    private func linger() {
        guard let context else { return }
        guard !inputEnded else { return closeNow() }
        lingerEnd = loop.eventLoop.now + TimeAmount(loop.configuration.lingerTimeout)
        context.close(mode: .output, promise: nil)
        holdsRead = false
        context.read()
    }

    /// The last answer: nothing that follows on this connection can be understood, or is wanted.
    func fail(_ problem: Problem, _ now: NIODeadline) {
        if case .stopped = phase { return }
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
        answers.complete(answers.open(AnswerContext(closes: true), received: nil), with: .problem(problem))
    }

    func closeNow() {
        context?.close(promise: nil)
    }

    // MARK: - Channel events

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        inputEnded = true
        if lingerEnd != nil { return closeNow() }
        let now = loop.eventLoop.now
        workThroughUnread(now)
        writeAnswers(now)
    }

    /// The peer has sent all that it will: what is complete is answered, what is not is refused.
    func endInput(_ now: NIODeadline) {
        switch phase {
        case .head where parser.isIdle(unread: unread.readableBytes):
            phase = .stopped
            if !answers.closeAfterLast(), !isClosing { closeNow() }
        case .head:
            fail(.truncated("The connection ended within the head of a request."), now)
        case .body(let partial):
            let announced = partial.length.map { "\($0)" } ?? "an unknown number of"
            fail(
                .truncated("The body ended after \(body.readableBytes) of \(announced) bytes; nothing was accepted."),
                now
            )
        case .rest:
            phase = .stopped
            _ = answers.closeAfterLast()
        case .stopped:
            break
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        let now = loop.eventLoop.now
        if isWritable { resumeReading(now) } else { unwritableSince = now }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection that breaks is the peer's affair; what was taken of it stays with the queue.
        loop.logger.debug("connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: - Time

    func checkDeadlines(_ now: NIODeadline) {
        if let lingerEnd {
            if now >= lingerEnd { closeNow() }
            return
        }
        let limits = loop.configuration
        if !isWritable, now >= unwritableSince + TimeAmount(limits.writeTimeout) {
            loop.instruments.connectionsTimedOut.add()
            return closeNow()
        }
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
        if case .rest = phase {
            // The request has its answer already.
            phase = .stopped
            leavesInput = true
            if !answers.closeAfterLast() { closeNow() }
        } else {
            fail(problem, now)
        }
        writeAnswers(now)
    }

    func drain(_ now: NIODeadline) {
        isDraining = true
        guard case .head = phase, parser.isIdle(unread: unread.readableBytes) else { return }
        phase = .stopped
        if !answers.closeAfterLast(), !isClosing { closeNow() }
    }
}
