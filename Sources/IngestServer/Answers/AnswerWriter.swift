import NIOCore
import Records

/// Puts answers into bytes. Owner: an event loop; it keeps the text of the queue id and the date, which hardly ever
/// change.
struct AnswerWriter {
    private var queue: QueueID?
    private var queueText: [UInt8] = []
    private var date: [UInt8] = []
    private var dateSecond = Int.min
    /// The head of the hot answer up to the length of its body.
    private var accepted: [UInt8] = []

    /// Sets the time that `Date` shows, in seconds of the Unix epoch.
    mutating func setTime(_ second: Int) {
        guard second != dateSecond else { return }
        dateSecond = second
        let text = "\r\nDate: \(HTTPDate.text(second))"
        date = Array(text.utf8)
        accepted = Array("HTTP/1.1 200 OK\r\nContent-Type: application/json\(text)\r\nContent-Length: ".utf8)
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

    /// The hot answer: bytes that are prepared, with digits between them.
    private mutating func write(_ acceptance: Acceptance, _ context: AnswerContext, to buffer: inout ByteBuffer) -> Int
    {
        if let last = acceptance.last, last.queue != queue {
            queue = last.queue
            queueText = Array(last.queue.description.utf8)
        }
        guard acceptance.missed == nil, acceptance.refused.isEmpty, !context.omitsBody else {
            return writeInFull(acceptance, context, to: &buffer)
        }
        // What is not prepared here is less than 256 bytes: four numbers of 20 digits at most, and fixed text.
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: accepted.count + queueText.count + 256) { bytes in
            var out = ByteCursor(bytes)
            out.put(accepted)
            out.put(UInt64(Self.bodyCount(acceptance, queueText.count)))
            out.put(Self.end(context))
            Self.writeBody(acceptance, queueText, to: &out)
            return out.count
        }
        return 200
    }

    /// The answers that are rarer: with refused events, with a watermark missed, or without a body.
    private func writeInFull(_ acceptance: Acceptance, _ context: AnswerContext, to buffer: inout ByteBuffer) -> Int {
        if acceptance.missed == nil {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json")
        } else {
            buffer.writeStaticString("HTTP/1.1 202 Accepted\r\nContent-Type: application/json")
        }
        let bodyCount = Self.bodyCount(acceptance, queueText.count)
        writeEnd(bodyCount: bodyCount, context, to: &buffer)
        if !context.omitsBody {
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bodyCount) { bytes in
                var out = ByteCursor(bytes)
                Self.writeBody(acceptance, queueText, to: &out)
                return out.count
            }
        }
        return acceptance.missed == nil ? 200 : 202
    }

    private static func bodyCount(_ acceptance: Acceptance, _ queueCount: Int) -> Int {
        // {"accepted":<count>}
        var count = 13 + Decimal.digits(UInt64(acceptance.count))
        if let last = acceptance.last {
            // ,"receipt":".."
            count += 15 + queueCount + Decimal.digits(UInt64(last.lane.rawValue)) + Decimal.digits(last.offset.rawValue)
        }
        if acceptance.isRepeat { count += 16 }
        if acceptance.missed != nil { count += 19 }
        if !acceptance.refused.isEmpty { count += 1 + acceptance.refused.count }
        return count
    }

    private static func writeBody(_ acceptance: Acceptance, _ queueText: [UInt8], to out: inout ByteCursor) {
        out.put("{\"accepted\":")
        out.put(UInt64(acceptance.count))
        if let last = acceptance.last {
            out.put(",\"receipt\":\"")
            out.put(queueText)
            out.put(".")
            out.put(UInt64(last.lane.rawValue))
            out.put(".")
            out.put(last.offset.rawValue)
            out.put("\"")
        }
        if acceptance.isRepeat { out.put(",\"repeated\":true") }
        if acceptance.missed != nil { out.put(",\"waited\":\"durable\"") }
        if !acceptance.refused.isEmpty {
            out.put(",")
            out.put(acceptance.refused)
        }
        out.put("}")
    }

    /// What ends a head, from the line end of its last field on.
    private static func end(_ context: AnswerContext) -> StaticString {
        if context.closes { return "\r\nConnection: close\r\n\r\n" }
        return context.announcesKeepAlive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\n\r\n"
    }

    private func writeEnd(bodyCount: Int?, _ context: AnswerContext, to buffer: inout ByteBuffer) {
        buffer.writeBytes(date)
        if let bodyCount { buffer.writeString("\r\nContent-Length: \(bodyCount)") }
        buffer.writeStaticString(Self.end(context))
    }
}

/// Bytes written one after another into memory that was made large enough.
private struct ByteCursor {
    private let bytes: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ bytes: UnsafeMutableRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func put(_ text: StaticString) {
        let source = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).copyMemory(from: source)
        count += source.count
    }

    mutating func put(_ text: [UInt8]) {
        text.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: bytes[count...]).copyMemory(from: $0) }
        count += text.count
    }

    mutating func put(_ value: UInt64) {
        count += Decimal.write(value, to: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]))
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

    /// Writes the digits at the beginning of `bytes`, and returns how many they are.
    static func write(_ value: UInt64, to bytes: UnsafeMutableRawBufferPointer) -> Int {
        let count = digits(value)
        var rest = value
        for index in stride(from: count - 1, through: 0, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return count
    }
}
