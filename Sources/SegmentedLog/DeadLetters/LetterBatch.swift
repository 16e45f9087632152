import Records

/// The letters of one frame, as they are gathered.
struct LetterBatch {
    var entries: [LetterEntry] = []
    private(set) var rows: [UInt8] = []
    private var nextID: LetterID
    private var seen: [LaneKey: RangeSet<UInt64>] = [:]

    /// When the last of them was made, microseconds since 1970.
    var time: Int64 {
        switch entries.last {
        case .letter(_, let letter, _): letter.time
        case .verdict(_, _, let time): time
        case .mark, nil: 0
        }
    }

    /// The lanes whose rows its letters hold.
    var lanes: Set<LaneKey> { Set(seen.keys) }

    /// A frame is closed when it holds this many bytes of rows, or this many entries, each of at most six texts of 8 KiB: well within its limits.
    private static let fullRows = 4 << 20
    private static let fullEntries = 512

    init(nextID: LetterID) {
        self.nextID = nextID
    }

    /// Takes a letter, unless its positions are in the batch already. Returns false if the batch is full, and then has not taken it.
    mutating func add(_ letter: DeadLetter) -> Bool {
        if isFull(for: letter.bytes.count) { return false }
        guard note(letter.lane, letter.range) else { return true }
        var bare = letter
        bare.bytes = []
        entries.append(.letter(nextID, bare, rowBytes: letter.bytes.count))
        rows += letter.bytes
        nextID += 1
        return true
    }

    /// The same for a letter that has a verdict, and of which only the positions are kept.
    mutating func add(_ lane: LaneKey, _ range: ClosedRange<Offset>, _ verdict: LetterVerdict) -> Bool {
        if isFull(for: 0) { return false }
        guard note(lane, range) else { return true }
        entries.append(.mark(nextID, lane, range, verdict))
        nextID += 1
        return true
    }

    private func isFull(for bytes: Int) -> Bool {
        !entries.isEmpty && (entries.count >= Self.fullEntries || rows.count + bytes > Self.fullRows)
    }

    /// False if the positions are in the batch already.
    private mutating func note(_ lane: LaneKey, _ range: ClosedRange<Offset>) -> Bool {
        if seen[lane]?.contains(range.lowerBound.rawValue) ?? false { return false }
        seen[lane, default: RangeSet()].insert(contentsOf: range.lowerBound.rawValue..<(range.upperBound.rawValue + 1))
        return true
    }
}

extension DeadLetter {
    /// The same with texts of at most `limit` bytes: a server's detail may hold a whole row.
    func cut(toTextBytes limit: Int) -> DeadLetter {
        var letter = self
        letter.stream = stream.prefix(bytes: limit)
        letter.reason.sqlState = reason.sqlState.prefix(bytes: limit)
        letter.reason.message = reason.message.prefix(bytes: limit)
        letter.reason.detail = reason.detail?.prefix(bytes: limit)
        letter.reason.constraint = reason.constraint?.prefix(bytes: limit)
        letter.reason.column = reason.column?.prefix(bytes: limit)
        return letter
    }
}

extension String {
    /// As many whole scalars from the beginning as fit into `limit` bytes of UTF-8.
    func prefix(bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        // 10xxxxxx continues a scalar.
        while utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}

extension [UInt8] {
    /// `withUnsafeBytes` with the error of a file.
    func withBytes(_ body: (UnsafeRawBufferPointer) throws(FileFault) -> Void) throws(FileFault) {
        var fault: FileFault?
        withUnsafeBytes { buffer in
            do throws(FileFault) {
                try body(buffer)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
    }
}
