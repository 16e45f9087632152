import IngestFormats
import Instruments
import Logging
import NIOCore
import Records

extension TCPConnection {
    /// Adjacent lines of the received bytes that are decoded together.
    private struct Run {
        var start = 0
        var end = 0
        var lines = 0
    }

    /// Takes lines until more bytes are needed or nothing more can be taken; then hands over what they gave.
    func work(through bytes: inout ByteBuffer, _ now: NIODeadline) {
        let linesBefore = lineCount
        let consumed = bytes.withUnsafeReadableBytes { takeLines($0, now) }
        loop.instruments.linesReceived.add(lineCount - linesBefore)
        bytes.moveReaderIndex(forwardBy: consumed)
        noteTime(consumed: consumed, unread: bytes.readableBytes, now)
        if link.inputEnded, mayRead {
            bytes.moveReaderIndex(forwardBy: bytes.readableBytes)
            endSession(reason: "The connection ended.", retry: true, now)
        }
        if !mayRead { isStalled = true }
        submitBatch()
    }

    private func noteTime(consumed: Int, unread: Int, _ now: NIODeadline) {
        if !mayRead || !isUnfinished(unread: unread) {
            unfinishedSince = nil
        } else if group == nil, consumed > 0, unread > 0 {
            // A line ended, and another began.
            unfinishedSince = now
        } else {
            unfinishedSince = unfinishedSince ?? now
        }
    }

    private func takeLines(_ bytes: UnsafeRawBufferPointer, _ now: NIODeadline) -> Int {
        var at = 0
        var run = Run()
        while mayRead {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            var step = framer.next(rest)
            if case .needMore(let consumed) = step {
                at += consumed
                // A last line without its end is a line once no more can come.
                if consumed > 0, !admit(rest) { break }
                let tail = UnsafeRawBufferPointer(rebasing: bytes[at...])
                guard link.inputEnded, let last = framer.end(tail) else { break }
                step = last
            }
            switch step {
            case .needMore:
                break
            case .tooLong(let consumed):
                decode(&run, bytes, now)
                at += consumed
                guard admit(rest) else { continue }
                lineCount += 1
                refuseLine("the line is longer than \(loop.configuration.maxLineBytes) bytes", now)
            case .line(let range, let consumed):
                let line = UnsafeRawBufferPointer(rebasing: rest[range])
                if run.lines == 0 { run.start = at }
                at += consumed
                if line.allSatisfy({ HTTPCharacters.isBlank($0) || $0 == HTTPCharacters.carriageReturn }) {
                    if run.lines > 0 { run.end = at }
                    continue
                }
                if ControlLine.isControl(line) {
                    decode(&run, bytes, now)
                    takeControl(line, now)
                    continue
                }
                guard admit(line) else { continue }
                lineCount += 1
                run.lines += 1
                run.end = at
                if group != nil {
                    group?.digest.add(line: line)
                    group?.lines += 1
                    group?.bytes += line.count + 1
                }
                if run.lines == Self.runLines || group?.isComplete == true { decode(&run, bytes, now) }
            }
        }
        decode(&run, bytes, now)
        return at
    }

    /// Lets the sender in who names nothing about itself; false if that won't do, and the session is over.
    ///
    /// - Parameter line: an event's, or the beginning of one that is too long.
    private func admit(_ line: UnsafeRawBufferPointer) -> Bool {
        if case .new = session {
            open(ControlLine.Greeting())
            if Self.isRequestLine(line) {
                // The body that a web page sends may be lines of JSON.
                let reason = "This is an HTTP request; this port takes lines of JSON."
                endSession(reason: reason, retry: false, loop.eventLoop.now)
            }
        }
        if case .open = session { return true }
        return false
    }

    /// The methods that a browser sends, or an agent that has the wrong port.
    private static let methods = ["POST ", "PUT ", "PATCH ", "GET ", "HEAD ", "OPTIONS "].map { Array($0.utf8) }

    private static func isRequestLine(_ line: UnsafeRawBufferPointer) -> Bool {
        methods.contains { line.starts(with: $0) }
    }

    private func takeControl(_ line: UnsafeRawBufferPointer, _ now: NIODeadline) {
        do throws(ControlFault) {
            switch (try ControlLine.parse(line), session) {
            case (.greeting(let greeting), .new):
                open(greeting)
            case (.greeting, _):
                throw ControlFault("stream, ack and token belong into the first line of a connection")
            case (.group(let key, let count), _):
                if case .new = session { open(ControlLine.Greeting()) }
                guard case .open(let sender) = session else { return }
                try beginGroup(key, count, sender, now)
            }
        } catch {
            if case .new = session { open(ControlLine.Greeting()) }
            endSession(reason: "A control line is wrong: \(error.reason).", retry: false, now)
        }
    }

    private func open(_ greeting: ControlLine.Greeting) {
        guard let stream = greeting.stream ?? loop.configuration.tcpStream else {
            session = .open(Sender(stream: "", wantsAnswers: greeting.wantsAnswers, identity: .anonymous))
            return endSession(
                reason: "No stream is named, and there is no default: begin with {\"forebay\":{\"stream\":\"…\"}}.",
                retry: false,
                loop.eventLoop.now
            )
        }
        var sender = Sender(stream: stream, wantsAnswers: greeting.wantsAnswers, identity: .anonymous)
        session = .open(sender)
        let reason: String
        var isTemporary = false
        switch loop.backend.authorize(token: greeting.token, stream: stream) {
        case .allowed(let identity):
            if loop.backend.plan(for: stream) != nil {
                sender.identity = identity
                writer = identity
                session = .open(sender)
                return
            }
            let problem = Problem.noPlan(for: stream, loop.backend)
            reason = problem.detail
            isTemporary = problem.status == 503
        case .unauthenticated:
            reason = "A known token is expected: {\"forebay\":{\"token\":\"…\"}}."
        case .forbidden:
            reason = Problem.forbidden(stream).detail
        }
        endSession(reason: reason, retry: isTemporary, loop.eventLoop.now)
    }

    // MARK: - Keys

    private func beginGroup(_ key: String, _ count: Int, _ sender: Sender, _ now: NIODeadline) throws(ControlFault) {
        guard group == nil else { throw ControlFault("the lines of the key before are not all there yet") }
        guard count <= loop.configuration.decodeLimits.events else {
            throw ControlFault("count is at most \(loop.configuration.decodeLimits.events)")
        }
        guard let plan = plan(of: sender, now) else { return }
        // The lines before the key go on their own.
        submitBatch()
        var text = key
        let digest = text.withUTF8 {
            Digest.key(UnsafeRawBufferPointer($0), stream: sender.stream, identity: sender.identity)
        }
        group = LineGroup(
            key: digest,
            count: count,
            batch: LineBatch(rows: RowBatch(layouts: plan), received: now)
        )
        unfinishedSince = nil
    }

    private func finishGroup() {
        guard var group, group.isComplete || group.fault != nil else { return }
        if let fault = group.fault {
            guard group.isComplete else { return }
            group.batch.replaceMarks(
                with: .refusedGroup(lines: group.count, line: fault.line, reason: fault.reason, retry: false)
            )
        } else {
            group.batch.keyed = KeyedRequest(key: group.key, bodyDigest: group.digest.finish())
        }
        self.group = nil
        unfinishedSince = nil
        submit(group.batch)
    }

    // MARK: - Decoding

    private func plan(of sender: Sender, _ now: NIODeadline) -> DecodePlan? {
        if let plan = loop.backend.plan(for: sender.stream) { return plan }
        endSession(reason: Problem.noPlan(for: sender.stream, loop.backend).detail, retry: true, now)
        return nil
    }

    private func decode(_ run: inout Run, _ bytes: UnsafeRawBufferPointer, _ now: NIODeadline) {
        guard run.lines > 0, case .open(let sender) = session else { return }
        let lines = UnsafeRawBufferPointer(rebasing: bytes[run.start..<run.end])
        let count = run.lines
        run = Run()
        if group != nil {
            decodeGroupLines(lines, count)
            return
        }
        guard let plan = plan(of: sender, now) else {
            // The stream went away under the connection: its lines have no place to go.
            if !sender.wantsAnswers { loop.noteBadLine("the stream of \(count) lines is not there any more", now) }
            loop.instruments.eventsRefused.add(count)
            return
        }
        if let batch, batch.rows.layouts !== plan { submitBatch() }
        var target = batch ?? LineBatch(rows: RowBatch(layouts: plan, capacity: lines.count + 1024), received: now)
        let report = loop.bodies.decoder(for: plan).decode(lines, format: .lines, onError: .skip, into: target.rows)
        var before = 0
        for fault in report.faults {
            target.add(.rows(fault.event - before))
            target.add(.refused(line: lineCount - count + 1 + fault.event, reason: Self.reason(fault)))
            before = fault.event + 1
            noteRefusal(Self.reason(fault), now)
        }
        target.add(.rows(count - before))
        batch = target
        if target.rows.byteCount >= loop.configuration.maxBatchBytes { submitBatch() }
    }

    private func decodeGroupLines(_ lines: UnsafeRawBufferPointer, _ count: Int) {
        guard var group, let plan = group.batch.rows.layouts as? DecodePlan else { return }
        if group.fault == nil {
            if group.bytes > loop.configuration.maxBodyBytes {
                group.refuse("the lines of the key are longer than \(loop.configuration.maxBodyBytes) bytes together")
            } else {
                let report = loop.bodies.decoder(for: plan)
                    .decode(lines, format: .lines, onError: .skip, into: group.batch.rows)
                if let fault = report.faults.first {
                    group.refuse(Self.reason(fault), line: lineCount - count + 1 + fault.event)
                    loop.instruments.eventsRefused.add(report.refused)
                } else if group.batch.rows.byteCount > loop.configuration.maxInflatedBytes {
                    // An event of three bytes is a row of four bytes for each column.
                    let limit = loop.configuration.maxInflatedBytes
                    group.refuse("the rows of the key are longer than \(limit) bytes together")
                } else {
                    group.batch.add(.rows(report.accepted))
                }
            }
        }
        self.group = group
        finishGroup()
    }

    /// What was found and what was expected; the place is told by the line's number.
    private static func reason(_ fault: DecodeFault) -> String {
        var place = ""
        if let column = fault.column ?? fault.field { place = "\"\(column)\": " }
        return "\(place)found \(fault.found), expected \(fault.expected)"
    }

    private func refuseLine(_ reason: String, _ now: NIODeadline) {
        if var group {
            group.lines += 1
            group.refuse(reason, line: lineCount)
            self.group = group
            loop.instruments.eventsRefused.add()
            return finishGroup()
        }
        guard case .open(let sender) = session, let plan = plan(of: sender, now) else { return }
        var target = batch ?? LineBatch(rows: RowBatch(layouts: plan), received: now)
        target.add(.refused(line: lineCount, reason: reason))
        batch = target
        noteRefusal(reason, now)
    }

    private func noteRefusal(_ reason: String, _ now: NIODeadline) {
        loop.instruments.eventsRefused.add()
        if !wantsAnswers { loop.noteBadLine(reason, now) }
    }

    // MARK: - Handing over

    func submitBatch() {
        guard let batch else { return }
        self.batch = nil
        submit(batch)
    }

    private func submit(_ batch: LineBatch) {
        let sequence = pending.open(batch)
        guard batch.rows.rowCount > 0 else {
            pending.complete(sequence, with: nil)
            return
        }
        loop.budget.force(batch.charge)
        append(sequence)
    }

    /// Hands a batch to the queue whose bytes are accounted for.
    func append(_ sequence: UInt64) {
        guard let batch = pending.question(sequence) else { return }
        loop.append(
            batch.rows,
            order: .ofConnection,
            keyed: batch.keyed,
            for: self,
            tag: sequence,
            charge: batch.charge
        )
    }

    /// Takes nothing more; the reason is the last answer.
    func endSession(reason: String, retry: Bool, _ now: NIODeadline) {
        guard case .open(let sender) = session else {
            if case .new = session { session = .over(wantsAnswers: false) }
            return
        }
        submitBatch()
        var last = LineBatch(rows: RowBatch(layouts: NoLayouts.shared, capacity: 64), received: now)
        if let group {
            let reason = "\(group.lines) of the key's \(group.count) lines came; none of them was stored"
            last.add(.refusedGroup(lines: group.lines, line: nil, reason: reason, retry: true))
            if !sender.wantsAnswers { loop.noteBadLine(reason, now) }
            self.group = nil
        }
        if !link.inputEnded || !retry { last.add(.farewell(reason: reason, retry: retry)) }
        session = .over(wantsAnswers: sender.wantsAnswers)
        pending.complete(pending.open(last), with: nil)
    }
}

/// The layouts of batches that have no rows.
final class NoLayouts: LayoutSource {
    static let shared = NoLayouts()

    func layout(of fingerprint: Fingerprint) -> RowLayout? { nil }
}
