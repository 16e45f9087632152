/// The files of a dead-letter store, by number.
struct LetterDirectory: Sendable {
    static let suffix = ".letters"
    static let unfinished = ".letters.new"

    let path: String
    let files: any FileSystem

    func path(of number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return "\(path)/\(String(repeating: "0", count: 16 - digits.count))\(digits)\(Self.suffix)"
    }

    /// The numbers of the files that are there, ascending.
    func numbers() throws(FileFault) -> [UInt64] {
        try files.list(path).compactMap { name in
            // Numbers count from 1, and never up to half of what 64 bits hold; a name in any other form is not the store's.
            guard name.hasSuffix(Self.suffix), let number = UInt64(name.dropLast(Self.suffix.count), radix: 16),
                number > 0, number < UInt64.max / 2, path(of: number) == "\(path)/\(name)"
            else { return nil }
            return number
        }.sorted()
    }

    /// Removes what was begun and never acknowledged.
    func removeUnfinished() throws(FileFault) {
        for name in try files.list(path) where name.hasSuffix(Self.unfinished) {
            try files.remove("\(path)/\(name)")
        }
    }

    /// Opens a file and finds out how much of it counts: where the next file's header says that it ends.
    func scan(_ number: UInt64, among numbers: [UInt64], _ mode: OpenMode = .read) throws(FileFault) -> LetterFileScan {
        var end = LetterFileHeader.wholeFile
        if numbers.contains(number + 1) {
            let next = try LetterFileScan(files.open(path(of: number + 1), .read), number: number + 1)
            end = next.header?.previousEnd ?? end
        }
        return try LetterFileScan(files.open(path(of: number), mode), number: number, countingTo: end)
    }

    /// Creates a file with a header and frames: complete and lasting when it bears its name, which may be that of a file it replaces.
    func create(_ header: LetterFileHeader, frames: [[UInt8]]) throws(FileFault) -> any File {
        let final = path(of: header.number)
        let temporary = String(final.dropLast(Self.suffix.count)) + Self.unfinished
        // One may be left of an attempt that failed.
        try removeUnfinished()
        let file = try files.open(temporary, .create)
        var position = 0
        for part in [header.encode()] + frames {
            try part.withBytes { (buffer) throws(FileFault) in try file.write(buffer, at: position) }
            position += part.count
        }
        try file.sync()
        try files.rename(temporary, to: final)
        try files.syncDirectory(path)
        return file
    }

    func remove(_ number: UInt64) throws(FileFault) {
        try files.remove(path(of: number))
    }

    /// Makes removals lasting. One that is undone by a crash is repeated by the next compaction.
    func sync() throws(FileFault) {
        try files.syncDirectory(path)
    }

    /// Whether this header is what keeps bytes of the file before it from counting, so that it has to stay.
    func namesAnEnd(_ header: LetterFileHeader) throws(FileFault) -> Bool {
        guard try numbers().contains(header.number - 1) else { return false }
        let size = try files.open(path(of: header.number - 1), .read).size()
        return header.previousEnd < UInt64(size)
    }

    /// What became of the letters, as all files say it.
    func verdicts() throws(FileFault) -> LetterVerdicts {
        var verdicts = LetterVerdicts()
        let numbers = try numbers()
        for number in numbers {
            _ = try scan(number, among: numbers).read { (frame) throws(FileFault) in
                for case .verdict(let verdict, let ids, _) in frame.entries { verdicts.add(ids, verdict) }
                return true
            }
        }
        return verdicts
    }
}

/// What became of letters; as ranges of ids, since whole streams are usually judged at once.
struct LetterVerdicts: Sendable {
    private var retried = RangeSet<LetterID>()
    private var discarded = RangeSet<LetterID>()

    mutating func add(_ ids: [LetterID], _ verdict: LetterVerdict) {
        for id in ids {
            switch verdict {
            case .retried: retried.insert(contentsOf: id..<(id + 1))
            case .discarded: discarded.insert(contentsOf: id..<(id + 1))
            }
        }
    }

    func verdict(of id: LetterID) -> LetterVerdict? {
        if retried.contains(id) { return .retried }
        return discarded.contains(id) ? .discarded : nil
    }
}
