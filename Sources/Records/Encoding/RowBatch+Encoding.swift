/// Appending a row field by field, for who does not decode in bulk. Begin with ``beginRow(fieldCount:)``, append that many
/// fields in the layout's order, and end with ``endRow(_:)`` or ``abandonRow()``.
extension RowBatch {
    package func beginRow(fieldCount: Int) {
        write(2) { FieldWriter.fieldCount(fieldCount, at: $0) }
    }

    package func appendNull() {
        write(4) { FieldWriter.null(at: $0) }
    }

    package func append(bool value: Bool) {
        write(5) { FieldWriter.bool(value, at: $0) }
    }

    package func append(int2 value: Int16) {
        write(6) { FieldWriter.int2(value, at: $0) }
    }

    package func append(int4 value: Int32) {
        write(8) { FieldWriter.int4(value, at: $0) }
    }

    package func append(int8 value: Int64) {
        write(12) { FieldWriter.int8(value, at: $0) }
    }

    package func append(float4 value: Float) {
        write(8) { FieldWriter.float4(value, at: $0) }
    }

    package func append(float8 value: Double) {
        write(12) { FieldWriter.float8(value, at: $0) }
    }

    /// Rounds to the column's scale; throws if the number does not fit.
    package func append(
        numeric digits: DecimalDigits,
        limits: Column.NumericLimits? = nil
    ) throws(NumericField.Overflow) {
        let plan = try NumericField.plan(digits, limits: limits)
        write(plan.byteCount) { NumericField.write(plan, at: $0) }
    }

    package func append(numeric special: NumericField.Special) {
        write(12) { NumericField.write(special, at: $0) }
    }

    /// `text`, `varchar` and `json`; a NUL character is the caller's to refuse.
    package func append(text: String) {
        var text = text
        text.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// `text`, `varchar`, `json` and `bytea`: the bytes as they are.
    package func append(bytes: UnsafeRawBufferPointer) {
        write(4 + bytes.count) { FieldWriter.bytes(bytes, at: $0) }
    }

    /// `jsonb`, from JSON text.
    package func append(jsonb text: String) {
        var text = text
        text.withUTF8 { utf8 in
            write(5 + utf8.count) { FieldWriter.jsonb(UnsafeRawBufferPointer(utf8), at: $0) }
        }
    }

    /// Microseconds from 2000-01-01 00:00:00; `Int64.max` and `Int64.min` are the infinities.
    package func append(timestamp microseconds: Int64) {
        append(int8: microseconds)
    }

    /// Days from 2000-01-01; `Int32.max` and `Int32.min` are the infinities.
    package func append(date days: Int32) {
        append(int4: days)
    }

    package func append(uuidHigh high: UInt64, low: UInt64) {
        write(20) { FieldWriter.uuid(high: high, low: low, at: $0) }
    }

    package func append(inet address: NetworkAddress) {
        write(24) { FieldWriter.network(address, isCIDR: false, at: $0) }
    }

    package func append(cidr address: NetworkAddress) {
        write(24) { FieldWriter.network(address, isCIDR: true, at: $0) }
    }

    package func append(textArray elements: [String?]) {
        let room = elements.reduce(FieldWriter.arrayHeader) { $0 + 4 + ($1?.utf8.count ?? 0) }
        appendArray(elements, of: ElementType.text, room: room) { element, out in
            var element = element
            return element.withUTF8 { FieldWriter.bytes(UnsafeRawBufferPointer($0), at: out) }
        }
    }

    package func append(int8Array elements: [Int64?]) {
        let room = FieldWriter.arrayHeader + 12 * elements.count
        appendArray(elements, of: ElementType.int8, room: room) { FieldWriter.int8($0, at: $1) }
    }

    package func append(float8Array elements: [Double?]) {
        let room = FieldWriter.arrayHeader + 12 * elements.count
        appendArray(elements, of: ElementType.float8, room: room) { FieldWriter.float8($0, at: $1) }
    }

    private func appendArray<Element>(
        _ elements: [Element?],
        of type: UInt32,
        room: Int,
        _ writeElement: (Element, UnsafeMutableRawPointer) -> UnsafeMutableRawPointer
    ) {
        write(room) { out in
            var next = out + FieldWriter.arrayHeader
            for element in elements {
                next = element.map { writeElement($0, next) } ?? FieldWriter.null(at: next)
            }
            return FieldWriter.endArray(
                type,
                elements: elements.count,
                hasNull: elements.contains { $0 == nil },
                start: out,
                end: next
            )
        }
    }

    /// Makes room for `limit` bytes and advances by as many as `body` wrote.
    private func write(_ limit: Int, _ body: (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer) {
        let out = reserve(limit)
        byteCount += body(out) - out
    }
}
