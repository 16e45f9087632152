import IngestFormats
import Instruments
import NIOCore
import Records

extension HTTPConnection {
    /// - Parameter bodyBytes: bytes that are there already behind the head.
    func takeHead(_ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer, bodyBytes: Int, _ now: NIODeadline) {
        guard let base = bytes.baseAddress else { return }
        var answerContext = AnswerContext(
            omitsBody: head.method == .head,
            closes: !head.isPersistent || isDraining,
            announcesKeepAlive: head.minorVersion == 0 && head.isPersistent
        )
        switch IngestRequest.purpose(of: head, base: base, backend: loop.backend) {
        case .ingest(let request):
            let length: Int? = if case .length(let count) = head.framing { count } else { nil }
            phase = .body(
                PartialBody(
                    request: request,
                    context: answerContext,
                    length: head.framing == .none ? 0 : length,
                    deadline: now + TimeAmount(loop.configuration.bodyTimeout)
                )
            )
            owesContinue = head.expectsContinue && bodyBytes == 0
        case .answer(let answer):
            // A client that waits for 100 may or may not send its body after another answer: nobody could tell where
            // the next request begins.
            if head.expectsContinue { answerContext.closes = true }
            answers.complete(answers.open(answerContext), with: answer)
            phase = head.expectsContinue ? .stopped : .rest(isLast: answerContext.closes)
            headDeadline = now + TimeAmount(loop.configuration.bodyTimeout)
        }
    }

    func takeBody(_ piece: UnsafeRawBufferPointer, _ now: NIODeadline) {
        guard case .body(let partial) = phase else { return }
        owesContinue = false
        if piece.count == partial.length {
            submit(partial, piece, now)
            return
        }
        if body.readableBytes == 0 {
            body = loop.allocate(min(partial.reserved, max(piece.count, partial.length ?? 0)))
        }
        body.writeBytes(piece)
    }

    /// - Parameter unread: bytes that are there already of what follows.
    func endRequest(_ unread: Int, _ now: NIODeadline) {
        if case .body(let partial) = phase {
            let whole = body
            body = ByteBuffer()
            whole.withUnsafeReadableBytes { submit(partial, $0, now) }
        }
        if case .rest(let isLast) = phase {
            phase = isLast ? .stopped : .head
            if isDraining, !isLast { stop() }
        }
        if unread > 0 { headDeadline = now + TimeAmount(loop.configuration.headerTimeout) }
    }

    /// Decodes a complete body and hands its rows to the queue.
    private func submit(_ partial: PartialBody, _ bytes: UnsafeRawBufferPointer, _ now: NIODeadline) {
        var answerContext = partial.context
        answerContext.closes = answerContext.closes || isDraining
        phase = .rest(isLast: answerContext.closes)
        headDeadline = partial.deadline
        let request = partial.request
        let isShared = request.key == nil && request.orderHash == nil
        let batch =
            isShared
            ? loop.sharedBatch(for: request.plan, bytes.count) : loop.freshBatch(for: request.plan, bytes.count)
        let before = (rows: batch.rows.rowCount, bytes: batch.rows.byteCount)
        do throws(Problem) {
            let decoded = try loop.bodies.decode(bytes, request, into: batch.rows)
            loop.instruments.eventsRefused.add(decoded.refused)
            let rows = batch.rows.rowCount - before.rows
            guard rows > 0 else {
                loop.budget.release(partial.reserved)
                let nothing = Acceptance(count: 0, last: nil, refused: decoded.members)
                answers.complete(answers.open(answerContext), with: .accepted(nothing))
                return
            }
            answerContext.received = now
            let sequence = answers.open(answerContext)
            if request.wait != nil || !decoded.members.isEmpty || request.writer != nil {
                extras[sequence] = Extra(wait: request.wait, members: decoded.members, writer: request.writer)
            }
            // What the rows take beyond the body's share is there already, so it is not waited for.
            let beyond = max(0, batch.rows.byteCount - before.bytes + Self.requestOverhead - partial.reserved)
            if beyond > 0 { loop.budget.force(beyond) }
            let charge = partial.reserved + beyond
            if isShared {
                loop.share(batch, rows: rows, for: self, tag: sequence, charge: charge)
            } else {
                loop.append(
                    batch.rows,
                    order: request.orderHash.map { .ofKey($0) } ?? .none,
                    keyed: request.key.map { KeyedRequest(key: $0, bodyDigest: decoded.bodyDigest) },
                    for: self,
                    tag: sequence,
                    charge: charge
                )
            }
        } catch {
            loop.budget.release(partial.reserved)
            loop.instruments.eventsRefused.add(error.refusedEvents)
            answers.complete(answers.open(answerContext), with: .problem(error))
        }
    }

    // MARK: - Outcomes

    func appendDidEnd(_ tag: UInt64, _ outcome: AppendOutcome) {
        guard link.isOpen else { return }
        let extra = extras.isEmpty ? nil : extras.removeValue(forKey: tag)
        switch outcome {
        case .durable(let last, let count, let isRepeat):
            if !isRepeat { loop.instruments.eventsAccepted.add(count) }
            var acceptance = Acceptance(count: count, last: last, isRepeat: isRepeat)
            if let extra {
                if let writer = extra.writer { loop.backend.didWrite(writer, upTo: last) }
                acceptance.refused = extra.members
                if let level = extra.wait, isDraining {
                    acceptance.missed = level
                } else if let level = extra.wait {
                    extras[tag] = Extra(wait: level, acceptance: acceptance)
                    loop.wait(for: level, at: last, for: self, tag: tag)
                    return
                }
            }
            answers.complete(tag, with: .accepted(acceptance))
        case .keyReused: answers.complete(tag, with: .problem(.keyReused))
        case .full: answers.complete(tag, with: .problem(.full))
        case .overloaded: answers.complete(tag, with: .problem(.overloaded))
        case .failed(let reason): answers.complete(tag, with: .problem(.notWritten(reason)))
        case .closing: answers.complete(tag, with: .problem(.closing))
        }
    }

    func waitDidEnd(_ tag: UInt64, _ outcome: WaitOutcome) {
        guard link.isOpen, let extra = extras.removeValue(forKey: tag), var acceptance = extra.acceptance else {
            return
        }
        switch outcome {
        case .reached: break
        case .timedOut, .closing: acceptance.missed = extra.wait
        }
        answers.complete(tag, with: .accepted(acceptance))
    }

    func turnDidEnd(_ now: NIODeadline) {
        writeAnswers(now)
        resumeReading(now)
    }
}
