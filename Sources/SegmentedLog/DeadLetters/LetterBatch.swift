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
        if !entries.isEmpty, entries.count >= Self.fullEntries || rows.count + letter.bytes.count > Self.fullRows {
            return false
        }
        let range = letter.first.rawValue..<(letter.last.rawValue + 1)
        let isRepeat = seen[letter.lane]?.contains(range.lowerBound) ?? false
        guard !isRepeat else { return true }
        seen[letter.lane, default: RangeSet()].insert(contentsOf: range)
        var bare = letter
        bare.bytes = []
        entries.append(.letter(nextID, bare, rowBytes: letter.bytes.count))
        rows += letter.bytes
        nextID += 1
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
