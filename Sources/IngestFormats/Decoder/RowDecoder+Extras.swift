import Records

/// Fields that are no columns.
extension RowDecoder {
    /// Collects the field of `name`, whose value begins at `p`, or refuses it; returns the address behind the value.
    @inline(never)
    mutating func unknownField(_ name: StringSpan, _ p: Bytes) throws(Refusal) -> Bytes {
        guard extraColumn >= 0 else { throw Refusal(.unknownField, at: keyStart) }
        guard extras.insert(name.start, name.end - name.start) else { throw Refusal(.duplicateField, at: keyStart) }
        // Inside the collecting object the value is as deep as it was in the event.
        let next = try skipValue(p, depth: 1, .jsonb)
        extras.append(name: keyStart - 1, keyEnd - keyStart + 2, value: p, next - p)
        return next
    }

    /// Writes the collected fields as the extra column's object, together with the members that the event gave that column.
    @inline(never)
    mutating func writeExtras(_ event: Bytes) throws(Refusal) {
        let isGiven = slots[extraColumn].serial == serial
        let given = isGiven ? try givenMembers(event) : (start: 0, count: 0)
        makeRoom(extras.text.count + given.count + 16, before: end)
        // A given value that ends the row so far is overwritten, any other is replaced when the row is put into order.
        let isLast = isGiven && !isScattered && nextColumn == extraColumn + 1
        if !isGiven, !isScattered, extraColumn >= nextColumn {
            fill(nextColumn, extraColumn)
            nextColumn = extraColumn + 1
        } else if !isLast {
            isScattered = true
        }
        let field = out
        var next = FieldWriter.store(UInt8(1), at: field + 4)
        next = FieldWriter.store(UInt8(ascii: "{"), at: next)
        if given.count > 0 {
            // Found anew, for the batch may have moved.
            next.copyMemory(from: base + given.start, byteCount: given.count)
            next = FieldWriter.store(UInt8(ascii: ","), at: next + given.count)
        }
        next.copyMemory(from: extras.text.base, byteCount: extras.text.count)
        next = FieldWriter.store(UInt8(ascii: "}"), at: next + extras.text.count)
        _ = FieldWriter.length(next - field - 4, at: field)
        if isLast {
            let place = base + slots[extraColumn].start
            place.copyMemory(from: field, byteCount: next - field)
            out = place + (next - field)
        } else {
            slots[extraColumn] = Slot(serial: serial, start: field - base)
            out = next
        }
    }

    /// Where in the batch the members stand that the event gave the extra column itself, without the braces.
    private mutating func givenMembers(_ event: Bytes) throws(Refusal) -> (start: Int, count: Int) {
        let field = base + slots[extraColumn].start
        let length = Int(Int32(bigEndian: field.loadUnaligned(as: Int32.self)))
        if length < 0 { return (0, 0) }
        column = extraColumn
        let text = Bytes((field + 5).assumingMemoryBound(to: UInt8.self))
        guard text[0] == UInt8(ascii: "{") else {
            keyStart = event
            keyEnd = event
            throw Refusal(.extraNotAnObject, at: event)
        }
        try noteNames(text, length - 1, event)
        column = -1
        // The value ends with its closing brace, for it was copied from the first to the last byte of its text.
        var first = 1
        while text[first] == 0x20 || text[first] == 0x0A || text[first] == 0x0D || text[first] == 0x09 {
            first += 1
        }
        let count = length - 2 - first
        return (text + first - Bytes(base.assumingMemoryBound(to: UInt8.self)), count)
    }

    /// Enters the names of the object's members among the collected ones; refuses the event if one is there already.
    private mutating func noteNames(_ text: Bytes, _ count: Int, _ event: Bytes) throws(Refusal) {
        let body = (end, hardEnd)
        end = text + count
        hardEnd = end
        defer { (end, hardEnd) = body }
        var p = skipSpace(text + 1)
        while p[0] == UInt8(ascii: "\"") {
            let name = try string(p)
            guard extras.insert(name.start, name.end - name.start) else {
                keyStart = p + 1
                keyEnd = name.next - 1
                throw Refusal(.duplicateField, at: event)
            }
            p = skipSpace(skipSpace(name.next) + 1)
            p = skipSpace(try skipValue(p, depth: 0, .structure))
            if p[0] == UInt8(ascii: ",") { p = skipSpace(p + 1) }
        }
    }
}
