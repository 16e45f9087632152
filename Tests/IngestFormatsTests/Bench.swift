import IngestFormats
import Records

/// A stream to decode into: made of columns, it tells what became of an event.
struct Bench {
    let plan: DecodePlan
    let decoder: EventDecoder

    init(
        _ columns: [Column],
        _ mapping: StreamMapping = StreamMapping(),
        limits: DecodeLimits = DecodeLimits()
    ) throws(PlanFault) {
        let table = TableName(schema: "public", name: "t")
        plan = try DecodePlan(schema: StreamSchema(stream: "s", table: table, columns: columns), mapping: mapping)
        decoder = EventDecoder(plan: plan, limits: limits)
    }

    /// One column named "c".
    init(_ type: ColumnType, notNull: Bool = false, length: Int? = nil, numeric: (Int, Int)? = nil) throws(PlanFault) {
        let limits = numeric.map { Column.NumericLimits(precision: $0.0, scale: $0.1) }
        try self.init([
            Column(name: "c", type: type, notNull: notNull, maximumLength: length, numericLimits: limits)
        ])
    }

    /// Decodes a body into a fresh batch.
    func decode(
        _ body: [UInt8],
        format: BodyFormat = .detect,
        onError: OnError = .refuseAll
    ) -> (report: DecodeReport, batch: RowBatch) {
        // Exactly as large as the body, so that the address sanitizer sees any read beyond it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: body)
        let batch = RowBatch(layouts: plan, capacity: 64)
        let report = decoder.decode(UnsafeRawBufferPointer(copy), format: format, onError: onError, into: batch)
        return (report, batch)
    }

    func decode(
        _ body: String,
        format: BodyFormat = .detect,
        onError: OnError = .refuseAll
    ) -> (report: DecodeReport, batch: RowBatch) {
        decode(Array(body.utf8), format: format, onError: onError)
    }

    /// The rows of a body as JSON lines.
    func lines(_ body: String, format: BodyFormat = .detect, onError: OnError = .refuseAll) throws -> [String] {
        try Self.lines(decode(body, format: format, onError: onError).batch)
    }

    static func lines(_ batch: RowBatch) throws -> [String] {
        let ranges = try TupleReader.rowRanges(batch.bytes, count: batch.rowCount)
        var row = 0
        var lines: [String] = []
        for run in batch.runs {
            guard let layout = batch.layouts.layout(of: run.fingerprint) else { continue }
            for _ in 0..<run.rows {
                lines.append(
                    try TupleText.line(UnsafeRawBufferPointer(rebasing: batch.bytes[ranges[row]]), layout: layout)
                )
                row += 1
            }
        }
        return lines
    }

    /// The field that a JSON value becomes in the only column, as hexadecimal digits without the length word; the fault's
    /// reason and what was expected if it is refused.
    func field(_ json: String) -> String {
        let (report, batch) = decode("{\"c\":\(json)}")
        if let fault = report.faults.first { return "\(fault.reason): \(fault.expected)" }
        let digits = batch.bytes.dropFirst(6).map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count < 2 ? "0" + text : text
        }
        return digits.joined()
    }

    /// The value in the only column, written as JSON again; the fault's reason if it is refused.
    func value(_ json: String) throws -> String {
        let (report, batch) = decode("{\"c\":\(json)}")
        if let fault = report.faults.first { return fault.reason.rawValue }
        return String(try Self.lines(batch)[0].dropFirst(5).dropLast())
    }
}
