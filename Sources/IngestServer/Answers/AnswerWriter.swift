import NIOCore
import Records

/// Puts answers into bytes. Owner: an event loop; it keeps the text of the queue id and the date, which hardly ever change.
struct AnswerWriter {
    private var queue: QueueID?
    private var queueText: [UInt8] = []
    private var date: [UInt8] = []
    private var dateSecond = Int.min

    /// Sets the time that `Date` shows, in seconds of the Unix epoch.
    mutating func setTime(_ second: Int) {
        guard second != dateSecond else { return }
        dateSecond = second
        date = Array("\r\nDate: \(HTTPDate.text(second))".utf8)
    }

    /// Appends the answer and returns its status.
    mutating func write(_ answer: Answer, _ context: AnswerContext, to buffer: inout ByteBuffer) -> Int {
        switch answer {
        case .accepted(let acceptance):
            return write(acceptance, context, to: &buffer)
        case .problem(let problem):
            var fields = "HTTP/1.1 \(problem.status) \(problem.title)\r\nContent-Type: application/problem+json"
            if problem.status == 401 { fields += "\r\nWWW-Authenticate: Bearer" }
            if let allow = problem.allow { fields += "\r\nAllow: \(allow)" }
            if let seconds = problem.retryAfter { fields += "\r\nRetry-After: \(seconds)" }
            buffer.writeString(fields)
            let document = problem.document
            writeEnd(bodyCount: document.count, context, to: &buffer)
            if !context.omitsBody { buffer.writeBytes(document) }
            return problem.status
        case .document(let text):
            buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json")
            writeEnd(bodyCount: text.utf8.count, context, to: &buffer)
            if !context.omitsBody { buffer.writeString(text) }
            return 200
        case .options(let allow):
            // A 204 has no Content-Length (RFC 9110, section 8.6).
            buffer.writeString("HTTP/1.1 204 No Content\r\nAllow: \(allow)")
            writeEnd(bodyCount: nil, context, to: &buffer)
            return 204
        }
    }

    /// The hot answer: constant bytes with digits between them.
    private mutating func write(_ acceptance: Acceptance, _ context: AnswerContext, to buffer: inout ByteBuffer) -> Int
    {
        if acceptance.missed == nil {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json")
        } else {
            buffer.writeStaticString("HTTP/1.1 202 Accepted\r\nContent-Type: application/json")
        }
        var bodyCount = 12 + Decimal.digits(UInt64(acceptance.count))
        if let last = acceptance.last {
            if last.queue != queue {
                queue = last.queue
                queueText = Array(last.queue.description.utf8)
            }
            bodyCount += 15 + queueText.count + Decimal.digits(UInt64(last.lane.rawValue))
            bodyCount += Decimal.digits(last.offset.rawValue)
        }
        if acceptance.isRepeat { bodyCount += 16 }
        if acceptance.missed != nil { bodyCount += 19 }
        if !acceptance.refused.isEmpty { bodyCount += 1 + acceptance.refused.count }
        writeEnd(bodyCount: bodyCount + 1, context, to: &buffer)
        guard !context.omitsBody else { return acceptance.missed == nil ? 200 : 202 }

        buffer.writeStaticString("{\"accepted\":")
        Decimal.write(UInt64(acceptance.count), to: &buffer)
        if let last = acceptance.last {
            buffer.writeStaticString(",\"receipt\":\"")
            buffer.writeBytes(queueText)
            buffer.writeStaticString(".")
            Decimal.write(UInt64(last.lane.rawValue), to: &buffer)
            buffer.writeStaticString(".")
            Decimal.write(last.offset.rawValue, to: &buffer)
            buffer.writeStaticString("\"")
        }
        if acceptance.isRepeat { buffer.writeStaticString(",\"repeated\":true") }
        if acceptance.missed != nil { buffer.writeStaticString(",\"waited\":\"durable\"") }
        if !acceptance.refused.isEmpty {
            buffer.writeStaticString(",")
            buffer.writeBytes(acceptance.refused)
        }
        buffer.writeStaticString("}")
        return acceptance.missed == nil ? 200 : 202
    }

    private func writeEnd(bodyCount: Int?, _ context: AnswerContext, to buffer: inout ByteBuffer) {
        if let bodyCount {
            buffer.writeStaticString("\r\nContent-Length: ")
            Decimal.write(UInt64(bodyCount), to: &buffer)
        }
        buffer.writeBytes(date)
        if context.closes {
            buffer.writeStaticString("\r\nConnection: close\r\n\r\n")
        } else if context.announcesKeepAlive {
            buffer.writeStaticString("\r\nConnection: keep-alive\r\n\r\n")
        } else {
            buffer.writeStaticString("\r\n\r\n")
        }
    }
}

/// Decimal digits without a `String` in between.
enum Decimal {
    static func digits(_ value: UInt64) -> Int {
        var count = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    static func write(_ value: UInt64, to buffer: inout ByteBuffer) {
        let count = digits(value)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            var rest = value
            for index in stride(from: count - 1, through: 0, by: -1) {
                bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return count
        }
    }
}
