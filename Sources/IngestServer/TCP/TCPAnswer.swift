import NIOCore
import Records

/// The answers of the TCP protocol: a line of JSON for each mark of a batch.
enum TCPAnswer {
    /// Appends the answers for a batch whose append ended with `outcome`; nil for a batch without rows.
    static func write(_ batch: LineBatch, _ outcome: AppendOutcome?, to buffer: inout ByteBuffer) {
        var rowsLeft = batch.rows.rowCount
        for mark in batch.marks {
            switch mark {
            case .rows(let count):
                rowsLeft -= count
                writeRows(count, rowsLeft, outcome, to: &buffer)
            case .refused(let line, let reason):
                writeError([("line", line), ("lines", 1)], retry: false, reason: reason, to: &buffer)
            case .refusedGroup(let lines, let line, let reason, let retry):
                let numbers = (line.map { [("line", $0)] } ?? []) + [("lines", lines)]
                writeError(numbers, retry: retry, reason: reason, to: &buffer)
            case .farewell(let reason, let retry):
                writeError([("lines", 0)], retry: retry, isLast: true, reason: reason, to: &buffer)
            }
        }
    }

    /// - Parameter rowsBehind: rows of the batch behind these: the receipt is that of the last row of these.
    private static func writeRows(
        _ count: Int,
        _ rowsBehind: Int,
        _ outcome: AppendOutcome?,
        to buffer: inout ByteBuffer
    ) {
        func refuse(retry: Bool, _ reason: String) {
            writeError([("lines", count)], retry: retry, reason: reason, to: &buffer)
        }
        switch outcome {
        case .durable(let last, _, let isRepeat):
            let offset = Offset(last.offset.rawValue - UInt64(rowsBehind))
            let receipt = Position(queue: last.queue, lane: last.lane, offset: offset)
            buffer.writeString("{\"ok\":\(count),\"receipt\":\"\(receipt)\"")
            if isRepeat { buffer.writeStaticString(",\"repeated\":true") }
            buffer.writeStaticString("}\n")
        case .keyReused: refuse(retry: false, Problem.keyReused.detail)
        case .full: refuse(retry: true, "The disk budget of the queue is used up; the lines were not stored.")
        case .overloaded:
            refuse(retry: true, "More is waiting to be written than fits in memory; the lines were not stored.")
        case .failed(let reason):
            refuse(retry: true, "The lines could not be made durable (\(reason)); they may or may not be stored.")
        case .closing: refuse(retry: true, "The proxy is shutting down; the lines were not stored.")
        case nil: preconditionFailure("rows were marked in a batch that was never appended")
        }
    }

    private static func writeError(
        _ numbers: [(name: String, value: Int)],
        retry: Bool,
        isLast: Bool = false,
        reason: String,
        to buffer: inout ByteBuffer
    ) {
        var text: [UInt8] = []
        text.append(contentsOf: "{\"error\":{".utf8)
        for (name, value) in numbers { text.append(contentsOf: "\"\(name)\":\(value),".utf8) }
        text.append(contentsOf: "\"retry\":\(retry),".utf8)
        if isLast { text.append(contentsOf: "\"closing\":true,".utf8) }
        text.append(contentsOf: "\"reason\":".utf8)
        JSONText.append(reason, to: &text)
        text.append(contentsOf: "}}\n".utf8)
        buffer.writeBytes(text)
    }
}
