import Delivery
import Records

/// One flush on one connection: says at any time how far it has got.
struct FlushExchange {
    private let connection: PostgresConnection
    private let flush: Flush
    private let deadlines: FlushDeadlines
    private let buffer: CopyBuffer
    private var rows = 0

    /// What an error that is thrown now would mean.
    private(set) var phase = DeliveryFault.Phase.sending
    /// The part that the server refused, if it was one.
    private(set) var refusedPart: Int?
    /// Its rows were read as other types than they were encoded in.
    private(set) var isOfOtherTypes = false

    /// - Parameter buffer: for this exchange's use alone.
    init(connection: PostgresConnection, flush: Flush, deadlines: FlushDeadlines, buffer: CopyBuffer) {
        self.connection = connection
        self.flush = flush
        self.deadlines = deadlines
        self.buffer = buffer
    }

    mutating func run(whileWaiting: () -> Void) throws(ConnectionFault) -> FlushReceipt {
        let sending = Deadline.after(deadlines.send)
        if flush.parts.isEmpty {
            phase = .committing
        }
        try connection.send(FlushStatement.text(of: flush))
        try connection.flushOutput(by: sending)
        if !flush.parts.isEmpty {
            try expectTag("BEGIN", by: sending)
            try expectTag("SELECT 1", by: sending)
        }
        for index in flush.parts.indices {
            try copy(index, by: sending)
        }
        whileWaiting()
        let committing = Deadline.after(deadlines.commit)
        if let last = flush.parts.indices.last {
            try finishCopy(last, by: committing)
            for index in flush.parts.indices {
                try expectItsTypes(index, by: committing)
            }
        } else {
            try expectTag("BEGIN", by: committing)
            try expectTag("SELECT 1", by: committing)
        }
        try expectTag("COMMIT", by: committing)
        guard case .done = try connection.nextResult(by: committing) else {
            throw .broken("the server went on after COMMIT")
        }
        return FlushReceipt(rows: rows)
    }

    /// Sends the rows of part `index`, its end included, and for all but the last waits for the server's count.
    private mutating func copy(_ index: Int, by deadline: Deadline) throws(ConnectionFault) {
        switch try connection.nextResult(by: deadline) {
        case .copyIn: break
        case .refused(let error):
            refusedPart = index
            throw refusal(error, by: deadline)
        case .rows, .done: throw .broken("the server does not take the rows of \(flush.parts[index].layout.table)")
        }
        let isLast = index == flush.parts.count - 1
        do throws(ConnectionFault) {
            buffer.reset()
            try put(CopyFrame.header, 0..<CopyFrame.header.count, by: deadline)
            if let sequence = flush.parts[index].sequence {
                try put(sequence, of: flush.parts[index].slices, by: deadline)
            } else {
                for slice in flush.parts[index].slices {
                    try put(slice.chunk.bytes, slice.range, by: deadline)
                }
            }
            try put(CopyFrame.trailer, 0..<CopyFrame.trailer.count, by: deadline)
            try buffer.send(to: connection, by: deadline)
            if connection.looksBroken() {
                throw .broken(connection.message)
            }
        } catch {
            throw connection.lastWords() ?? error
        }
        if isLast {
            phase = .committing
        }
        try connection.putCopyEnd(by: deadline)
        try connection.flushOutput(by: deadline)
        if !isLast {
            try finishCopy(index, by: deadline)
        }
    }

    private func refusal(_ error: ServerError, by deadline: Deadline) -> ConnectionFault {
        connection.drain(by: deadline)
        return .server(error)
    }

    private func put(_ bytes: [UInt8], _ range: Range<Int>, by deadline: Deadline) throws(ConnectionFault) {
        try bytes.withUnsafeBufferPointer { all throws(ConnectionFault) in
            try buffer.append(
                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(all)[range]),
                to: connection,
                by: deadline
            )
        }
    }

    private func put(_ sequence: [Flush.RowPlace], of slices: [Flush.Slice], by deadline: Deadline)
        throws(ConnectionFault)
    {
        for place in sequence {
            let start = Int(place.start)
            try put(slices[Int(place.slice)].chunk.bytes, start..<start + Int(place.length), by: deadline)
        }
    }

    private mutating func finishCopy(_ index: Int, by deadline: Deadline) throws(ConnectionFault) {
        switch try connection.nextResult(by: deadline) {
        case .rows(let result):
            guard let count = result.tag.split(separator: " ").last.flatMap({ Int($0) }), result.tag.hasPrefix("COPY ")
            else {
                throw .broken("the server answered \(result.tag) to COPY")
            }
            rows += count
        case .refused(let error):
            refusedPart = index
            throw refusal(error, by: deadline)
        case .copyIn, .done: throw .broken("the server gave no count of the rows copied")
        }
    }

    private mutating func expectItsTypes(_ index: Int, by deadline: Deadline) throws(ConnectionFault) {
        switch try connection.nextResult(by: deadline) {
        case .rows: return
        case .refused(let error):
            refusedPart = index
            // The division by zero that ``TableTypes/guardStatement`` comes to.
            isOfOtherTypes = error.sqlState == "22012"
            throw refusal(error, by: deadline)
        case .copyIn, .done: throw .broken("the server did not say whether the types of the columns are the same")
        }
    }

    private func expectTag(_ tag: String, by deadline: Deadline) throws(ConnectionFault) {
        switch try connection.nextResult(by: deadline) {
        case .rows(let result) where result.tag == tag: return
        case .rows(let result): throw .broken("the server answered \(result.tag) where \(tag) was expected")
        case .refused(let error): throw refusal(error, by: deadline)
        case .copyIn, .done: throw .broken("the server gave no answer to \(tag)")
        }
    }
}
