import Records

/// One event: an object, member by member, into one row.
extension RowDecoder {
    /// Decodes the object at `first` into the open row; returns the address behind its closing brace.
    mutating func decodeEvent(_ first: Bytes) throws(Refusal) -> Bytes {
        serial &+= 1
        rowStart = out - base
        nextColumn = 0
        isScattered = false
        omitted = 0
        lacking = -1
        column = -1
        if !extras.isEmpty { extras.removeAll() }
        makeRoom(0, before: first)
        out += 2
        var p = skipSpace(first + 1)
        if p < end, p[0] == UInt8(ascii: "}") {
            p += 1
        } else {
            p = try members(p)
        }
        column = -1
        if !extras.isEmpty {
            try writeExtras(first)
        }
        if isScattered {
            try gather(first)
        } else {
            if nextColumn < columnCount { fill(nextColumn, columnCount) }
            if lacking >= 0 { throw missing(first) }
        }
        _ = FieldWriter.fieldCount(columnCount - omitted.nonzeroBitCount, at: base + rowStart)
        return p
    }

    private mutating func members(_ first: Bytes) throws(Refusal) -> Bytes {
        var p = first
        var previous = 0
        while true {
            guard p < end, p[0] == UInt8(ascii: "\"") else { throw Refusal(.key, at: p) }
            let key = p + 1
            var entry = Int(follower[previous])
            if isEntry(entry, at: key) {
                p = key + names.entries[entry].length
                keyStart = key
                keyEnd = p - 1
            } else {
                let name = try string(p)
                keyStart = key
                keyEnd = name.next - 1
                p = name.next
                entry = names.find(name.start, name.end - name.start)
                if entry >= 0 {
                    follower[previous] = Int32(truncatingIfNeeded: entry)
                } else {
                    p = try unknownField(name, try value(behind: p))
                }
            }
            if entry >= 0 {
                previous = entry + 1
                column = names.entries[entry].column
                p = try member(value(behind: p))
            }
            column = -1
            keyEnd = keyStart
            p = skipSpace(p)
            guard p < end else { throw Refusal(.commaOrBrace, at: p) }
            if p[0] == UInt8(ascii: ",") {
                p = skipSpace(p + 1)
            } else if p[0] == UInt8(ascii: "}") {
                return p + 1
            } else {
                throw Refusal(.commaOrBrace, at: p)
            }
        }
    }

    /// Whether the name of `entry`, and its closing quote, stand at `key`.
    @inline(__always)
    private mutating func isEntry(_ entry: Int, at key: Bytes) -> Bool {
        let candidate = names.entries + entry
        let length = candidate.pointee.length
        if hardEnd - key >= 16 {
            let raw = UnsafeRawPointer(key)
            let difference =
                (raw.loadUnaligned(as: UInt64.self) ^ candidate.pointee.word0) & candidate.pointee.mask0
                | ((raw + 8).loadUnaligned(as: UInt64.self) ^ candidate.pointee.word1) & candidate.pointee.mask1
            if difference != 0 { return false }
            if length <= 16 { return true }
        }
        return hardEnd - key >= length && same(candidate.pointee.bytes, key, length)
    }

    /// The first byte of the value that follows a key.
    @inline(__always)
    private mutating func value(behind key: Bytes) throws(Refusal) -> Bytes {
        var p = skipSpace(key)
        guard p < end, p[0] == UInt8(ascii: ":") else { throw Refusal(.colon, at: p) }
        p = skipSpace(p + 1)
        guard p < end else { throw Refusal(.value, at: p) }
        return p
    }

    /// Puts the value at `p` into the row as the field of `column`.
    @inline(__always)
    private mutating func member(_ p: Bytes) throws(Refusal) -> Bytes {
        if slots[column].serial == serial { throw Refusal(.duplicateField, at: keyStart) }
        if !isScattered {
            if column == nextColumn {
                nextColumn &+= 1
            } else if column > nextColumn {
                fill(nextColumn, column)
                nextColumn = column + 1
            } else {
                isScattered = true
            }
        }
        slots[column] = Slot(serial: serial, start: out - base)
        let plan = UnsafePointer(columns + column)
        if plan.pointee.absence == .constant { throw Refusal(.constant, at: keyStart) }
        if p[0] == UInt8(ascii: "n") {
            let next = try literal(p, "null")
            if plan.pointee.notNull { throw Refusal(.null, at: p) }
            out = FieldWriter.null(at: out)
            return next
        }
        return try field(p, plan)
    }

    /// Writes what the columns from `first` up to `limit` have when the event does not give them.
    mutating func fill(_ first: Int, _ limit: Int) {
        for index in first..<limit {
            switch columns[index].absence {
            case .null:
                out = FieldWriter.null(at: out)
            case .defaulted:
                omitted |= columns[index].defaultBit
            case .constant:
                let constant = columns[index].constant
                out.copyMemory(from: constant.baseAddress.unsafelyUnwrapped, byteCount: constant.count)
                out += constant.count
            case .required, .untrackedDefault:
                if lacking < 0 { lacking = index }
            }
        }
    }

    /// Puts the fields of a row, which were written as they came, into the columns' order: behind the row first, then
    /// over it.
    private mutating func gather(_ event: Bytes) throws(Refusal) {
        let written = out - base - rowStart
        makeRoom(written, before: end)
        let ordered = out
        omitted = 0
        lacking = -1
        out += 2
        for index in 0..<columnCount {
            guard slots[index].serial == serial else {
                fill(index, index + 1)
                continue
            }
            let source = base + slots[index].start
            let count = 4 + max(0, Int(Int32(bigEndian: source.loadUnaligned(as: Int32.self))))
            out.copyMemory(from: source, byteCount: count)
            out += count
        }
        if lacking >= 0 { throw missing(event) }
        let row = base + rowStart
        let size = out - ordered
        row.copyMemory(from: ordered, byteCount: size)
        out = row + size
    }

    private mutating func missing(_ event: Bytes) -> Refusal {
        column = lacking
        keyStart = event
        keyEnd = event
        return Refusal(columns[lacking].absence == .required ? .missing : .untrackedDefault, at: event)
    }
}
