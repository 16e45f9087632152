extension DeadLetterLog {
    /// Opens the store, making the directory if there is none. The caller holds the queue's lock.
    ///
    /// - Parameter salt: random numbers.
    package static func open(
        _ directory: String,
        files: any FileSystem,
        options: Options = Options(),
        salt: @escaping @Sendable () -> UInt64
    ) throws(DeadLetterLogFault) -> DeadLetterLog {
        do throws(FileFault) {
            let directory = LetterDirectory(path: directory, files: files)
            try files.createDirectory(directory.path)
            try directory.removeUnfinished()
            // A process that was stopped between a rename and its sync leaves a name that is seen and does not last.
            try directory.sync()
            var reading = OpeningReader(directory: directory)
            try reading.read(directory.numbers())
            return DeadLetterLog(
                directory: directory,
                options: options,
                salt: salt,
                state: reading.state,
                opening: reading.opening
            )
        } catch {
            throw .file(error)
        }
    }
}

/// Builds the state of a store from its files.
private struct OpeningReader {
    let directory: LetterDirectory
    var opening = DeadLetterLog.Opening()
    var state = DeadLetterLog.State(
        index: LetterIndex(),
        current: nil,
        previousEnd: LetterFileHeader.wholeFile,
        nextFile: 1
    )

    init(directory: LetterDirectory) {
        self.directory = directory
    }

    mutating func read(_ numbers: [UInt64]) throws(FileFault) {
        for number in numbers {
            let isLast = number == numbers.last
            let scan = try directory.scan(number, among: numbers, isLast ? .readWrite : .read)
            try read(scan, isLast: isLast)
        }
        state.nextFile = (numbers.last ?? 0) + 1
        opening.files = numbers.count
        opening.pending = state.index.pendingCount
        state.mayHaveCutRetries = opening.pending > 0
    }

    private mutating func read(_ scan: LetterFileScan, isLast: Bool) throws(FileFault) {
        let number = scan.number
        let path = directory.path(of: number)
        let size = try scan.file.size()
        state.index.begin(file: LetterIndex.FileSummary(number: number, end: scan.limit))
        if let header = scan.header { state.index.skipIDs(before: header.firstID) }
        let ending = try scan.read(checksLastRows: isLast) { (frame) throws(FileFault) in
            for entry in frame.entries { state.index.add(entry, inFile: number) }
            return true
        }
        var corrupt = ending.corrupt.map { ($0, "no frame") }
        if let fault = scan.headerFault {
            corrupt = [(0..<size, fault.description)]
        } else if !ending.tail.isEmpty {
            if isLast {
                opening.torn.append(.init(path: path, bytes: ending.tail, reason: "an unfinished frame"))
            } else {
                corrupt.append((ending.tail, "no frame"))
            }
        }
        if scan.limit < size {
            opening.torn.append(.init(path: path, bytes: scan.limit..<size, reason: "behind a failed sync"))
        }
        opening.corrupt += corrupt.map { .init(path: path, bytes: $0.0, reason: $0.1) }
        state.index.update(file: number) { $0.isCorrupt = !corrupt.isEmpty }
        guard isLast, let header = scan.header else { return }
        if !ending.tail.isEmpty { try scan.file.truncate(ending.end) }
        // Frames that a stopped process had written and not synced are seen, and a power cut could still take them: what is believed is on disk.
        try scan.file.sync()
        state.index.update(file: number) { $0.end = ending.end }
        state.current = DeadLetterLog.Current(
            number: number,
            salt: header.salt,
            file: scan.file,
            end: ending.end
        )
    }
}
