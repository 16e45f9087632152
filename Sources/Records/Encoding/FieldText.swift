/// One field's binary form as a JSON value. Any bytes may be given: what is no value of the type throws.
enum FieldText {
    static func append(_ field: UnsafeRawBufferPointer, _ type: ColumnType, to line: inout [UInt8]) throws(FieldFault) {
        switch type {
        case .bool:
            guard try integer(field, UInt8.self) <= 1 else { throw FieldFault("neither 0 nor 1") }
            append(field[0] == 1 ? "true" : "false", to: &line)
        case .int2: append(String(try integer(field, Int16.self)), to: &line)
        case .int4: append(String(try integer(field, Int32.self)), to: &line)
        case .int8: append(String(try integer(field, Int64.self)), to: &line)
        case .float4: append(Float(bitPattern: try integer(field, UInt32.self)), to: &line)
        case .float8: append(Double(bitPattern: try integer(field, UInt64.self)), to: &line)
        case .numeric: try NumericText.append(field, to: &line)
        case .text, .varchar: try append(text: field, to: &line)
        case .timestamptz: append(quoted: try timestamp(field, zone: "Z"), to: &line)
        case .timestamp: append(quoted: try timestamp(field, zone: ""), to: &line)
        case .date: append(quoted: try date(field), to: &line)
        case .uuid: append(quoted: try uuid(field), to: &line)
        case .inet: append(quoted: try network(field, isCIDR: false), to: &line)
        case .cidr: append(quoted: try network(field, isCIDR: true), to: &line)
        case .json: try append(json: field, to: &line)
        case .jsonb:
            guard field.first == 1 else { throw FieldFault("not version 1 of jsonb") }
            try append(json: UnsafeRawBufferPointer(rebasing: field[1...]), to: &line)
        case .bytea: append(binary: field, to: &line)
        case .textArray: try append(array: field, ElementType.text, .text, to: &line)
        case .int8Array: try append(array: field, ElementType.int8, .int8, to: &line)
        case .float8Array: try append(array: field, ElementType.float8, .float8, to: &line)
        }
    }

    static func integer<Value: FixedWidthInteger>(
        _ field: UnsafeRawBufferPointer,
        _ type: Value.Type
    ) throws(FieldFault) -> Value {
        guard field.count == MemoryLayout<Value>.size else {
            throw FieldFault("\(field.count) bytes instead of \(MemoryLayout<Value>.size)")
        }
        return Value(bigEndian: field.loadUnaligned(as: Value.self))
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(contentsOf: text.utf8)
    }

    private static func append(quoted text: String, to line: inout [UInt8]) {
        append("\"\(text)\"", to: &line)
    }

    /// The shortest digits that give the same number back.
    private static func append<Value: BinaryFloatingPoint & CustomStringConvertible>(
        _ value: Value,
        to line: inout [UInt8]
    ) {
        if value.isNaN { return append("\"NaN\"", to: &line) }
        if value.isInfinite { return append(value < 0 ? "\"-Infinity\"" : "\"Infinity\"", to: &line) }
        append(value.description, to: &line)
    }

    private static func append(text field: UnsafeRawBufferPointer, to line: inout [UInt8]) throws(FieldFault) {
        guard String(validating: field, as: UTF8.self) != nil else { throw FieldFault("not UTF-8") }
        JSONText.append(field, to: &line)
    }

    private static func append(json field: UnsafeRawBufferPointer, to line: inout [UInt8]) throws(FieldFault) {
        guard !field.isEmpty, String(validating: field, as: UTF8.self) != nil else {
            throw FieldFault("not JSON text in UTF-8")
        }
        // Inside strings JSON has no raw line breaks, so any that stands here separates tokens.
        for byte in field {
            line.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte)
        }
    }

    private static func append(binary field: UnsafeRawBufferPointer, to line: inout [UInt8]) {
        append("\"\\\\x", to: &line)
        for byte in field {
            line.append(JSONText.hexadecimal(byte >> 4))
            line.append(JSONText.hexadecimal(byte & 15))
        }
        line.append(UInt8(ascii: "\""))
    }

    /// `YYYY-MM-DDTHH:MM:SS`, a fraction if there is one, the zone, and " BC" for the years before 1.
    private static func timestamp(_ field: UnsafeRawBufferPointer, zone: String) throws(FieldFault) -> String {
        let instant = try integer(field, Int64.self)
        if instant == TimestampLimits.infinity { return "infinity" }
        if instant == TimestampLimits.minusInfinity { return "-infinity" }
        guard TimestampLimits.contains(instant) else { throw FieldFault("beyond the range of times") }
        let perDay: Int64 = 86_400_000_000
        let day = (instant >= 0 ? instant : instant - perDay + 1) / perDay
        let time = Int(instant - day * perDay)
        let seconds = time / 1_000_000
        let (text, suffix) = dateText(Int(day))
        var clock = "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        var fraction = padded(time % 1_000_000, 6)[...]
        while fraction.last == "0" { fraction.removeLast() }
        if !fraction.isEmpty { clock += ".\(fraction)" }
        return "\(text)T\(clock)\(zone)\(suffix)"
    }

    private static func date(_ field: UnsafeRawBufferPointer) throws(FieldFault) -> String {
        let day = try integer(field, Int32.self)
        if day == DateLimits.infinity { return "infinity" }
        if day == DateLimits.minusInfinity { return "-infinity" }
        guard Int(day) >= DateLimits.first, Int(day) <= DateLimits.last else {
            throw FieldFault("beyond the range of dates")
        }
        let (text, suffix) = dateText(Int(day))
        return text + suffix
    }

    private static func dateText(_ number: Int) -> (text: String, suffix: String) {
        let (year, month, day) = CalendarDay.date(number)
        let shown = year > 0 ? year : 1 - year
        return ("\(padded(shown, 4))-\(padded(month, 2))-\(padded(day, 2))", year > 0 ? "" : " BC")
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func uuid(_ field: UnsafeRawBufferPointer) throws(FieldFault) -> String {
        guard field.count == 16 else { throw FieldFault("\(field.count) bytes instead of 16") }
        let high = UInt64(bigEndian: field.loadUnaligned(as: UInt64.self))
        let low = UInt64(bigEndian: field.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        // A queue's id is written in the same form.
        return QueueID(high: high, low: low).description
    }

    private static func network(_ field: UnsafeRawBufferPointer, isCIDR: Bool) throws(FieldFault) -> String {
        guard field.count >= 4, field.count == 4 + Int(field[3]) else { throw FieldFault("lengths disagree") }
        let isIPv6 = field[0] == 3
        guard isIPv6 || field[0] == 2, field[3] == (isIPv6 ? 16 : 4) else { throw FieldFault("no address family") }
        var words: (UInt64, UInt64) = (0, 0)
        for byte in field[4...] {
            words.0 = words.0 << 8 | words.1 >> 56
            words.1 = words.1 << 8 | UInt64(byte)
        }
        let address = NetworkAddress(isIPv6: isIPv6, high: words.0, low: words.1, bits: field[1])
        guard address.bits <= address.fullBits else { throw FieldFault("prefix longer than the address") }
        if isCIDR, !address.hasNoHostBits { throw FieldFault("bits set beyond the prefix") }
        let prefix = isCIDR || address.bits < address.fullBits ? "/\(address.bits)" : ""
        return address.addressText + prefix
    }

    private static func append(
        array field: UnsafeRawBufferPointer,
        _ elementType: UInt32,
        _ type: ColumnType,
        to line: inout [UInt8]
    ) throws(FieldFault) {
        func word(_ offset: Int) -> Int {
            Int(Int32(bigEndian: field.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        }
        guard field.count >= 12, word(8) == Int(elementType) else { throw FieldFault("no array of that type") }
        line.append(UInt8(ascii: "["))
        defer { line.append(UInt8(ascii: "]")) }
        if word(0) == 0 {
            guard field.count == 12 else { throw FieldFault("bytes behind an empty array") }
            return
        }
        guard word(0) == 1, field.count >= 20, word(16) == 1 else { throw FieldFault("not of one dimension from 1") }
        var position = 20
        for index in 0..<max(0, word(12)) {
            guard field.count - position >= 4 else { throw FieldFault("ends within the array") }
            let length = word(position)
            position += 4
            if index > 0 { line.append(UInt8(ascii: ",")) }
            if length == -1 {
                append("null", to: &line)
                continue
            }
            guard length >= 0, field.count - position >= length else { throw FieldFault("ends within an element") }
            let element = UnsafeRawBufferPointer(rebasing: field[position..<position + length])
            try append(element, type, to: &line)
            position += length
        }
        guard position == field.count else { throw FieldFault("bytes behind the last element") }
    }
}
