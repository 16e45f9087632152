import Delivery
import LibPQClient
import LocalPostgres
import Records

/// Binary COPY tuples of tables with an `int8` column and a `text` column.
struct TestRows {
    var bytes: [UInt8] = []
    /// Where each row begins, and the end of the last.
    var bounds = [0]

    mutating func add(_ number: Int64, _ text: String?) {
        add(number, bytes: text.map { Array($0.utf8) })
    }

    /// A row whose second field is of whatever type.
    mutating func add(_ number: Int64, bytes field: [UInt8]?) {
        append(UInt16(2))
        append(UInt32(8))
        append(UInt64(bitPattern: number))
        if let field {
            append(UInt32(field.count))
            bytes += field
        } else {
            append(UInt32.max)
        }
        bounds.append(bytes.count)
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }

    /// One chunk, cut into one slice.
    func slice(first: Offset, fingerprint: Fingerprint) -> Flush.Slice {
        let rows = bounds.count - 1
        return Flush.Slice(
            chunk: RowChunk(fingerprint: fingerprint, first: first, count: rows, bytes: bytes),
            first: first,
            rows: rows,
            range: 0..<bytes.count
        )
    }
}

/// A table with the columns `n int8` and `t text`, dropped and made anew.
struct TestTable {
    let name: TableName

    init(_ name: String, definition: String = "(n int8, t text)") throws {
        self.name = TableName(schema: "public", name: name)
        let administrator = try TestDatabase.administrator()
        try administrator.run(
            """
            SET client_min_messages = warning;
            DROP TABLE IF EXISTS \(self.name.quoted) CASCADE; CREATE TABLE \(self.name.quoted) \(definition);
            GRANT INSERT, SELECT ON \(self.name.quoted) TO \(TestDatabase.writer.name)
            """,
            by: .after(.seconds(10))
        )
    }

    var layout: RowLayout { layout(.text) }

    /// The layout of rows that were encoded when column `t` was of this type.
    func layout(_ type: ColumnType) -> RowLayout {
        RowLayout(
            stream: name.name,
            table: name,
            columns: [RowLayout.Field(name: "n", type: .int8), RowLayout.Field(name: "t", type: type)]
        )
    }

    func part(_ rows: [(Int64, String?)], of type: ColumnType = .text, first: Offset = Offset(1)) -> Flush.Part {
        let layout = layout(type)
        var encoded = TestRows()
        for row in rows {
            encoded.add(row.0, row.1)
        }
        return Flush.Part(layout: layout, slices: [encoded.slice(first: first, fingerprint: layout.fingerprint)])
    }

    /// All rows, by number.
    func contents() throws -> [String] {
        try TestDatabase.administrator()
            .query("SELECT n, t FROM \(name.quoted) ORDER BY n", by: .after(.seconds(10)))
            .rows.map { "\($0.text(0) ?? "null") \($0.text(1) ?? "null")" }
    }
}
