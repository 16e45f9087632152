import IngestFormats
import Records

/// Bodies of JSON events into rows.
///
/// Input: a byte that picks the stream and the format, a byte that picks the limits, then the body. The body ends where the input
/// does, so that the sanitizer sees a read beyond it.
enum JSONTarget {
    static func run(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        var input = FuzzInput(bytes)
        let choice = input.byte()
        let stream = FuzzPlans.all[Int(choice & 0x7F) % FuzzPlans.all.count]
        let format: BodyFormat = choice & 0x80 == 0 ? .detect : .lines
        let limits = limits(input.byte())
        let body = input.rest

        let skipping = decode(body, stream.plan, limits, format, .skip)
        try walk(skipping)
        try agree(skipping, decode(body, stream.plan, limits, format, .skip, again: true), "a second time")
        let strict = decode(body, stream.plan, limits, format, .refuseAll)
        if skipping.report.isClean {
            try agree(skipping, strict, "strictly")
        } else {
            try promise(!strict.report.isClean, "skipped events are taken when none may be skipped")
            try promise(strict.batch.rowCount == 0 && strict.batch.byteCount == 0, "refused rows stay in the batch")
            try promise(strict.report.accepted == 0, "refused rows are counted as accepted")
            try promise(
                strict.report.faults.first == skipping.report.faults.first,
                "the first fault depends on what follows from it"
            )
        }
        try decodeBehind(skipping, body, stream.plan, limits, format)
        if format == .lines, limits.events >= 1000 {
            try agree(skipping, lineByLine(body, stream.plan, limits), isAlone: true)
        }
        try printAndReadBack(skipping, stream.plain, hasBreaks: body.contains { $0 == 0x0A || $0 == 0x0D })
    }

    /// What one decoding came to.
    private struct Decoded {
        var batch: RowBatch
        var report: DecodeReport
    }

    private static func limits(_ choice: UInt8) -> DecodeLimits {
        switch choice % 4 {
        case 1: DecodeLimits(events: 3)
        case 2: DecodeLimits(eventBytes: 40)
        case 3: DecodeLimits(depth: 3)
        default: DecodeLimits()
        }
    }

    /// - Parameter again: with a decoder that has seen the body already and so has learned the order of its fields.
    private static func decode(
        _ body: UnsafeRawBufferPointer,
        _ plan: DecodePlan,
        _ limits: DecodeLimits,
        _ format: BodyFormat,
        _ onError: OnError,
        again: Bool = false
    ) -> Decoded {
        let decoder = EventDecoder(plan: plan, limits: limits)
        if again {
            _ = decoder.decode(body, format: format, onError: onError, into: RowBatch(layouts: plan, capacity: 64))
        }
        let batch = RowBatch(layouts: plan, capacity: 64)
        let report = decoder.decode(body, format: format, onError: onError, into: batch)
        return Decoded(batch: batch, report: report)
    }

    /// Behind the rows of another request the same rows are added, or none, and those that were there stay.
    private static func decodeBehind(
        _ skipped: Decoded,
        _ body: UnsafeRawBufferPointer,
        _ plan: DecodePlan,
        _ limits: DecodeLimits,
        _ format: BodyFormat
    ) throws(Finding) {
        let decoder = EventDecoder(plan: plan, limits: limits)
        let batch = RowBatch(layouts: plan, capacity: 64)
        _ = decoder.decode(body, format: format, onError: .skip, into: batch)
        let mark = batch.mark
        let runs = batch.runs
        let report = decoder.decode(body, format: format, onError: .refuseAll, into: batch)
        let rows = Array(skipped.batch.bytes)
        try promise(
            batch.bytes.elementsEqual(report.isClean ? rows + rows : rows),
            "other rows come out behind those of another request"
        )
        batch.rewind(to: mark)
        try promise(batch.bytes.elementsEqual(rows) && batch.runs == runs, "a batch is not rewound to what it was")
        try promise(batch.rowCount == skipped.batch.rowCount, "a rewound batch has \(batch.rowCount) rows")
    }

    /// Each line in a body of its own, with the decoder that took the line before.
    private static func lineByLine(_ body: UnsafeRawBufferPointer, _ plan: DecodePlan, _ limits: DecodeLimits)
        -> Decoded
    {
        let decoder = EventDecoder(plan: plan, limits: limits)
        let batch = RowBatch(layouts: plan, capacity: 64)
        var sum = DecodeReport()
        for line in body.split(separator: 0x0A) {
            let report = decoder.decode(Array(line), format: .lines, onError: .skip, into: batch)
            sum.accepted += report.accepted
            sum.refused += report.refused
        }
        return Decoded(batch: batch, report: sum)
    }

    private static func agree(
        _ one: Decoded,
        _ other: Decoded,
        _ how: String = "line by line",
        isAlone: Bool = false
    ) throws(Finding) {
        try promise(one.batch.bytes.elementsEqual(other.batch.bytes), "other rows come out \(how)")
        try promise(one.batch.runs == other.batch.runs, "other runs come out \(how)")
        try promise(
            one.report.accepted == other.report.accepted && one.report.refused == other.report.refused,
            "other counts come out \(how): \(one.report) and \(other.report)"
        )
        if !isAlone { try promise(one.report == other.report, "another report comes out \(how)") }
    }

    /// The batch holds the rows that it says, each with the columns of its layout.
    private static func walk(_ decoded: Decoded) throws(Finding) {
        let batch = decoded.batch
        try promise(batch.rowCount == decoded.report.accepted, "as many rows as events accepted")
        var reader = TupleReader(batch.bytes)
        var fields: [Range<Int>?] = []
        var rows = 0
        do throws(TupleFault) {
            for run in batch.runs {
                let columns = batch.layouts.layout(of: run.fingerprint)?.columns.count
                for _ in 0..<run.rows {
                    let range = try reader.next(fields: &fields)
                    guard range != nil, fields.count == columns else { throw .badRowCount(found: rows, expected: rows) }
                    rows += 1
                }
                guard reader.offset == run.endByte else { throw .truncated(offset: run.endByte) }
            }
        } catch {
            throw Finding("the rows are not what the batch says: row \(rows), \(error)")
        }
        try promise(rows == batch.rowCount && reader.offset == batch.byteCount, "bytes or rows beyond the last run")
    }

    /// Every row can be printed, and what is printed gives the same row.
    private static func printAndReadBack(_ decoded: Decoded, _ plan: DecodePlan, hasBreaks: Bool) throws(Finding) {
        let batch = decoded.batch
        var lines: [UInt8] = []
        do throws(TupleFault) {
            let ranges = try TupleReader.rowRanges(batch.bytes, count: batch.rowCount)
            var next = 0
            for run in batch.runs {
                guard let layout = batch.layouts.layout(of: run.fingerprint) else { throw .truncated(offset: 0) }
                for _ in 0..<run.rows {
                    let row = UnsafeRawBufferPointer(rebasing: batch.bytes[ranges[next]])
                    try TupleText.append(row, layout: layout, to: &lines)
                    lines.append(0x0A)
                    next += 1
                }
            }
        } catch {
            throw Finding("a row can't be printed: \(error)")
        }
        let limits = DecodeLimits(events: .max, eventBytes: .max)
        let back = RowBatch(layouts: plan)
        let report = EventDecoder(plan: plan, limits: limits).decode(lines, format: .lines, onError: .skip, into: back)
        try promise(report.isClean, "a printed row is refused: \(report.faults.first.map(\.description) ?? "")")
        // A printed json or jsonb has spaces for line breaks, so the rows can differ there, and there only.
        if !hasBreaks {
            try promise(back.bytes.elementsEqual(batch.bytes), "a printed row gives another one")
        }
    }
}
