import Instruments
import NIOCore
import Records

extension TCPConnection {
    func appendDidEnd(_ tag: UInt64, _ outcome: AppendOutcome) {
        guard !isRemoved else { return }
        switch outcome {
        case .durable(let last, let count, let isRepeat):
            if !isRepeat { loop.instruments.eventsAccepted.add(count) }
            if loop.backend.remembersWrites { loop.backend.didWrite(writer, upTo: last) }
            pending.complete(tag, with: outcome)
            retryDidEnd(tag)
        case .keyReused:
            pending.complete(tag, with: outcome)
            retryDidEnd(tag)
        case .full, .overloaded, .failed, .closing:
            if wantsAnswers {
                pending.complete(tag, with: outcome)
            } else {
                refuse(tag)
            }
            pauseForRefusal()
        }
    }

    /// Keeps a batch that the queue did not take, in its order among the others.
    private func refuse(_ sequence: UInt64) {
        guard let batch = pending.question(sequence) else { return }
        retried.remove(sequence)
        loop.budget.force(batch.charge)
        refused.append(sequence)
    }

    private func retryDidEnd(_ sequence: UInt64) {
        guard retried.remove(sequence) != nil else { return }
        if retried.isEmpty, refused.isEmpty, case .refusal = pause { pause = nil }
    }

    private func pauseForRefusal() {
        switch pause {
        case .refusal:
            return
        case .memory(let wait, _):
            _ = loop.budget.cancel(wait)
        case nil:
            break
        }
        // What the queue holds up is not the sender's time.
        unfinishedSince = nil
        isStalled = true
        let delay = TimeAmount.milliseconds(50)
        pause = .refusal(delay: delay)
        scheduleRetry(in: delay)
    }

    private func scheduleRetry(in delay: TimeAmount) {
        loop.schedule(in: delay) { [weak self] in self?.retry() }
    }

    /// Asks the queue again: hands over what it refused, or goes on reading where the sender was told to send again.
    private func retry() {
        guard case .refusal(let delay) = pause, !isRemoved else { return }
        guard mayRetry, retried.isEmpty else {
            let longer = min(delay * 2, .seconds(1))
            pause = .refusal(delay: longer)
            return scheduleRetry(in: longer)
        }
        let now = loop.eventLoop.now
        if refused.isEmpty {
            pause = nil
            resumeReading(now)
            writeAnswers(now)
        } else {
            let again = refused
            refused = []
            retried = Set(again)
            for sequence in again { append(sequence) }
            pause = .refusal(delay: min(delay * 2, .seconds(1)))
            scheduleRetry(in: min(delay * 2, .seconds(1)))
        }
    }

    /// At a shutdown senders are told that nothing is taken, but what was read before still is.
    private var mayRetry: Bool {
        switch loop.backend.intake {
        case .accepting, .closing: true
        case .full, .failed: false
        }
    }

    func waitDidEnd(_ tag: UInt64, _ outcome: WaitOutcome) {
        preconditionFailure("the TCP protocol waits for durable only")
    }

    func turnDidEnd(_ now: NIODeadline) {
        writeAnswers(now)
        resumeReading(now)
        writeAnswers(now)
        removeIfDone()
    }

    /// Writes the answers that are due, in one write; closes the connection after the last one.
    func writeAnswers(_ now: NIODeadline) {
        while let (batch, outcome) = pending.popReady() {
            if case .some(.durable) = outcome {
                loop.instruments.ackLatency.record(Int((now - batch.received).nanoseconds / 1000))
            }
            if wantsAnswers || batch.marks.contains(where: \.isFarewell) {
                TCPAnswer.write(batch, outcome, to: &link.outgoing)
            }
        }
        if case .over = session, pending.count == 0 {
            link.finish(leavesInput: !link.inputEnded)
        } else {
            link.flush()
        }
    }
}

extension LineBatch.Mark {
    /// It is told to a sender that asked for no answers, too.
    fileprivate var isFarewell: Bool {
        if case .farewell = self { true } else { false }
    }
}
