import IngestFormats
import Records
import Testing

/// Random rows of every type, written as JSON by `TupleText` and decoded again, must come back byte for byte; and events cut
/// or changed at any byte must end in a report, never in a trap.
@Suite struct RoundTripTests {
    private static let columns = ColumnType.allCases.map { Column(name: "c \($0.rawValue)", type: $0) }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func rowsComeBackByteForByte(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        let bench = try Bench(Self.columns)
        for _ in 0..<150 {
            let batch = RowBatch(layouts: bench.plan, capacity: 64)
            rows.append(to: batch, Self.columns.map(\.type))
            batch.endRow(bench.plan.fullLayout)
            let line = try Bench.lines(batch)[0]
            let (report, decoded) = bench.decode(line)
            #expect(report.faults == [], "\(line)")
            #expect(Array(decoded.bytes) == Array(batch.bytes), "\(line)")
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func fieldsInAnyOrderGiveTheSameRow(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        let bench = try Bench(Self.columns)
        for _ in 0..<50 {
            let batch = RowBatch(layouts: bench.plan)
            rows.append(to: batch, Self.columns.map(\.type))
            batch.endRow(bench.plan.fullLayout)
            let line = try Bench.lines(batch)[0]
            // Every column in an object of its own, so that the members can be told apart without reading JSON here.
            var members: [String] = []
            let ranges = try fieldRanges(batch)
            for (column, range) in zip(Self.columns, ranges) {
                let layout = RowLayout(
                    stream: "s",
                    table: bench.plan.schema.table,
                    columns: [RowLayout.Field(name: column.name, type: column.type)]
                )
                let field = range.map { Array(batch.bytes[$0.lowerBound - 4..<$0.upperBound]) } ?? [255, 255, 255, 255]
                members.append(String(try TupleText.line([0, 1] + field, layout: layout).dropFirst().dropLast()))
            }
            members.shuffle(using: &rows.random)
            let (report, decoded) = bench.decode("{" + members.joined(separator: " ,\t") + "}")
            #expect(report.faults == [], "\(line)")
            #expect(Array(decoded.bytes) == Array(batch.bytes), "\(line)")
        }
    }

    private func fieldRanges(_ batch: RowBatch) throws -> [Range<Int>?] {
        var reader = TupleReader(batch.bytes)
        var fields: [Range<Int>?] = []
        _ = try reader.next(fields: &fields)
        return fields
    }

    @Test(arguments: [1, 2] as [UInt64])
    func tornAtEveryByte(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        let bench = try Bench(Self.columns)
        let batch = RowBatch(layouts: bench.plan)
        rows.append(to: batch, Self.columns.map(\.type))
        batch.endRow(bench.plan.fullLayout)
        let event = Array(try Bench.lines(batch)[0].utf8)
        for length in 1..<event.count {
            let torn = Array(event[..<length])
            #expect(bench.decode(torn).report.faults.count == 1)
            #expect(bench.decode([UInt8(ascii: "[")] + torn).report.malformedAt != nil)
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func changedAtAnyByte(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        let bench = try Bench(Self.columns)
        let batch = RowBatch(layouts: bench.plan)
        for _ in 0..<3 {
            rows.append(to: batch, Self.columns.map(\.type))
            batch.endRow(bench.plan.fullLayout)
        }
        let events = try Bench.lines(batch)
        let bodies = [events.joined(separator: "\n"), "[" + events.joined(separator: ",") + "]"].map { Array($0.utf8) }
        for _ in 0..<3000 {
            var body = bodies[Int(rows.random.next() & 1)]
            for _ in 0...Int(rows.random.next() % 3) {
                let index = Int(rows.random.next() % UInt64(body.count))
                body[index] =
                    Array("\"\\{}[],:0-eE.\n\r u\u{0}\u{1F}tn\u{7F}".utf8).randomElement(using: &rows.random) ?? 0
                if rows.random.next() & 7 == 0 { body[index] = UInt8.random(in: 0x80...0xFF, using: &rows.random) }
            }
            let (report, decoded) = bench.decode(body, onError: .skip)
            #expect(decoded.rowCount == report.accepted)
            // Whatever was accepted is well-formed, and comes back as itself.
            for line in try Bench.lines(decoded) {
                let again = bench.decode(line)
                #expect(try Bench.lines(again.batch) == [line])
            }
        }
    }
}
