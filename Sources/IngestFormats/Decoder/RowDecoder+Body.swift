import Glibc
import Records

/// A body: its events one after another, and what a fault in one means for the others.
extension RowDecoder {
    /// Rows of one layout in a row, not yet made known to the batch.
    fileprivate struct Pending {
        var fingerprint: Fingerprint
        var rows: Int
        var end: Int
    }

    mutating func decode(
        _ body: UnsafeRawBufferPointer,
        format: BodyFormat,
        onError: OnError,
        plan: DecodePlan,
        into batch: RowBatch
    ) -> DecodeReport {
        var report = DecodeReport()
        guard let address = body.baseAddress, !body.isEmpty else { return report }
        start = address.assumingMemoryBound(to: UInt8.self)
        hardEnd = start + body.count
        end = hardEnd
        self.batch = Unmanaged.passUnretained(batch)
        let before = batch.byteCount
        out = batch.reserve(body.count + overhead)
        base = batch.base
        outEnd = base + batch.capacity

        var session = Session(plan: plan, onError: onError, firstByte: before)
        let first = skipSpace(start)
        if format == .detect, first < end, first[0] == UInt8(ascii: "[") {
            decodeArray(first, &session)
        } else {
            decodeLines(format, &session)
        }

        report = session.report
        if onError == .refuseAll, !report.isClean {
            report.accepted = 0
            batch.byteCount = before
        } else {
            batch.byteCount = before
            for run in session.finished {
                batch.byteCount = run.end
                batch.endRows(run.fingerprint, count: run.rows)
            }
            let run = session.open
            if run.rows > 0 {
                batch.byteCount = run.end
                batch.endRows(run.fingerprint, count: run.rows)
            }
        }
        self.batch = nil
        return report
    }

    /// What one call of `decode` counts and collects.
    struct Session {
        let plan: DecodePlan
        let onError: OnError
        /// Where this call's rows begin in the batch.
        let firstByte: Int
        var report = DecodeReport()
        /// Events begun.
        var events = 0
        /// The runs before the one that rows are being added to. Mostly there is one run only, and no array is made.
        fileprivate var finished: [Pending] = []
        fileprivate var open: Pending

        fileprivate init(plan: DecodePlan, onError: OnError, firstByte: Int) {
            self.plan = plan
            self.onError = onError
            self.firstByte = firstByte
            open = Pending(fingerprint: plan.fullLayout, rows: 0, end: firstByte)
        }

        /// Nothing that is still to come could change the answer.
        var isHopeless: Bool { onError == .refuseAll && report.faults.count >= DecodeReport.faultLimit }
    }

    private mutating func decodeArray(_ bracket: Bytes, _ session: inout Session) {
        var p = skipSpace(bracket + 1)
        if p < end, p[0] == UInt8(ascii: "]") {
            p += 1
        } else {
            while true {
                guard let next = decodeOne(p, &session) else { return }
                p = skipSpace(next)
                if p < end, p[0] == UInt8(ascii: ",") {
                    p = skipSpace(p + 1)
                } else if p < end, p[0] == UInt8(ascii: "]") {
                    p += 1
                    break
                } else {
                    return breakOff(Refusal(.commaOrBracket, at: p), &session)
                }
            }
        }
        p = skipSpace(p)
        if p < end {
            breakOff(Refusal(.trailing, at: p), &session)
        }
    }

    /// Decodes the array's element at `p`; nil if nothing can be told apart behind it.
    private mutating func decodeOne(_ p: Bytes, _ session: inout Session) -> Bytes? {
        if session.isHopeless { return nil }
        if session.events == limits.events {
            breakOff(Refusal(.tooManyEvents, at: p), &session)
            return nil
        }
        column = -1
        keyEnd = keyStart
        do throws(Refusal) {
            guard p < end, p[0] == UInt8(ascii: "{") else { throw notAnObject(p) }
            let next = try decodeEvent(p)
            if next - p > limits.eventBytes { throw Refusal(.eventTooLarge, at: p) }
            try endRow(p, &session)
            return next
        } catch {
            refuse(error, &session)
            if error.breaksStructure {
                session.report.malformedAt = error.at - start
                return nil
            }
        }
        do throws(Refusal) {
            return try skipValue(p, depth: 0, .structure)
        } catch {
            session.report.malformedAt = error.at - start
            return nil
        }
    }

    private mutating func decodeLines(_ format: BodyFormat, _ session: inout Session) {
        var line = start
        while line < hardEnd {
            if session.isHopeless { return }
            end = lineEnd(line)
            let p = skipSpace(line)
            if p < end {
                if session.events == limits.events {
                    end = hardEnd
                    return breakOff(Refusal(.tooManyEvents, at: p), &session)
                }
                do throws(Refusal) {
                    try decodeLine(p, &session)
                } catch {
                    if format == .detect, session.events == 0, end < hardEnd, isUnfinished(p) {
                        end = hardEnd
                        return decodeDocument(p, &session)
                    }
                    refuse(error, &session)
                }
            }
            line = end + 1
        }
        end = hardEnd
    }

    private mutating func decodeLine(_ p: Bytes, _ session: inout Session) throws(Refusal) {
        column = -1
        keyEnd = keyStart
        if end - p > limits.eventBytes { throw Refusal(.eventTooLarge, at: p) }
        guard p[0] == UInt8(ascii: "{") else { throw notAnObject(p) }
        let next = skipSpace(try decodeEvent(p))
        guard next == end else { throw Refusal(.trailing, at: next) }
        try endRow(p, &session)
    }

    /// The body is one object, over several lines. What was written of its first line is taken back.
    private mutating func decodeDocument(_ p: Bytes, _ session: inout Session) {
        out = base + session.firstByte
        guard let next = decodeOne(p, &session) else { return }
        let rest = skipSpace(next)
        if rest < end {
            breakOff(Refusal(.trailing, at: rest), &session)
        }
    }

    /// Whether the line that begins with `p` ends inside an object that is sound so far, and not inside a string, which no
    /// line feed may interrupt.
    private mutating func isUnfinished(_ p: Bytes) -> Bool {
        guard p[0] == UInt8(ascii: "{") else { return false }
        do throws(Refusal) {
            _ = try skipValue(p, depth: 0, .structure)
            return false
        } catch {
            return error.at == end && error.kind != .stringEnd
        }
    }

    /// The line feed that ends the line, or the body's end.
    @inline(__always)
    private mutating func lineEnd(_ line: Bytes) -> Bytes {
        guard let found = memchr(line, 0x0A, hardEnd - line) else { return hardEnd }
        return Bytes(found.assumingMemoryBound(to: UInt8.self))
    }

    private mutating func notAnObject(_ p: Bytes) -> Refusal {
        guard p < end else { return Refusal(.value, at: p) }
        let refusal = mismatch(p)
        return Refusal(refusal.kind == .wrongType ? .notAnObject : .value, at: p)
    }

    /// The row is complete: finds its layout and counts it.
    @inline(__always)
    private mutating func endRow(_ event: Bytes, _ session: inout Session) throws(Refusal) {
        if omitted != lastOmitted {
            guard let fingerprint = session.plan.fingerprint(omitting: omitted) else {
                throw Refusal(.tooManyLayouts, at: event)
            }
            lastFingerprint = fingerprint
            lastOmitted = omitted
        }
        session.events += 1
        session.report.accepted += 1
        if session.open.fingerprint != lastFingerprint {
            if session.open.rows > 0 { session.finished.append(session.open) }
            session.open = Pending(fingerprint: lastFingerprint, rows: 0, end: 0)
        }
        session.open.rows += 1
        session.open.end = out - base
    }

    /// Takes back what was written of the event, and reports it.
    @inline(never)
    private mutating func refuse(_ refusal: Refusal, _ session: inout Session) {
        out = base + session.open.end
        report(refusal, &session)
        session.report.refused += 1
        session.events += 1
    }

    /// Nothing behind this place can be told apart.
    private mutating func breakOff(_ refusal: Refusal, _ session: inout Session) {
        column = -1
        keyEnd = keyStart
        session.report.malformedAt = refusal.at - start
        report(refusal, &session)
    }

    private func report(_ refusal: Refusal, _ session: inout Session) {
        if session.report.faults.count < DecodeReport.faultLimit {
            session.report.faults.append(fault(refusal, event: session.events, session.plan))
        }
    }
}
