/// A tuple as one line of JSON, which the decoder of a stream with these columns takes back with the same values.
///
/// Fields stand in the layout's order; NULL is `null`; columns that the layout leaves out are left out. What JSON has no form
/// for is a string in the form that PostgreSQL prints: times, addresses, UUIDs, `\x…` for bytes, `NaN`, `Infinity`. A `numeric`
/// is a number with all of its digits. Line breaks between the tokens of a `json` or `jsonb` become spaces.
package enum TupleText {
    /// Appends the object, without a line feed.
    ///
    /// - Parameter row: one tuple, and nothing else.
    package static func append(
        _ row: UnsafeRawBufferPointer,
        layout: RowLayout,
        to line: inout [UInt8]
    ) throws(TupleFault) {
        var reader = TupleReader(row)
        var fields: [Range<Int>?] = []
        guard let range = try reader.next(fields: &fields) else { throw .truncated(offset: 0) }
        guard range.count == row.count else { throw .badRowCount(found: 2, expected: 1) }
        guard fields.count == layout.columns.count else {
            throw .layoutMismatch(fields: fields.count, columns: layout.columns.count, offset: 0)
        }
        line.append(UInt8(ascii: "{"))
        for (index, (column, field)) in zip(layout.columns, fields).enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            JSONText.append(string: column.name, to: &line)
            line.append(UInt8(ascii: ":"))
            guard let field else {
                line.append(contentsOf: "null".utf8)
                continue
            }
            do throws(FieldFault) {
                try FieldText.append(UnsafeRawBufferPointer(rebasing: row[field]), column.type, to: &line)
            } catch {
                throw .badField(column: column.name, type: column.type, reason: error.reason)
            }
        }
        line.append(UInt8(ascii: "}"))
    }

    /// The object as a string, without a line feed.
    package static func line(_ row: UnsafeRawBufferPointer, layout: RowLayout) throws(TupleFault) -> String {
        var line: [UInt8] = []
        try append(row, layout: layout, to: &line)
        return String(decoding: line, as: UTF8.self)
    }

    /// The object as a string, without a line feed.
    package static func line(_ row: [UInt8], layout: RowLayout) throws(TupleFault) -> String {
        let result = row.withUnsafeBytes { row in
            Result { () throws(TupleFault) in try line(row, layout: layout) }
        }
        return try result.get()
    }
}
