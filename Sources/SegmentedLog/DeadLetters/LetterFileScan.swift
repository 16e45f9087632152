/// Reads a dead-letter file frame by frame: entries only, the rows are skipped.
struct LetterFileScan {
    let file: any File
    let number: UInt64
    /// Nil if the header is not one; then nothing of the file can be read.
    let header: LetterFileHeader?
    /// Bytes that count, as far as is known: the file's size, or less if the next file's header says so.
    let limit: Int
    private(set) var headerFault: LetterHeaderFault?

    /// A good frame.
    struct Frame {
        var offset: Int
        var lengths: LetterFrame.Lengths
        var entries: [LetterEntry]

        /// Where the rows of the frame's letters stand in the file.
        var rows: Range<Int> {
            let start = offset + LetterFrame.headerSize + lengths.entryBytes
            return start..<(start + lengths.rowBytes)
        }
    }

    /// What a reading came to.
    struct Ending {
        /// Ranges between good frames that hold none.
        var corrupt: [Range<Int>] = []
        /// The end of the last good frame, or of the header.
        var end: Int
        /// What lies behind it.
        var tail: Range<Int>
    }

    init(
        _ file: any File,
        number: UInt64,
        countingTo previousEnd: UInt64 = LetterFileHeader.wholeFile
    ) throws(FileFault) {
        self.file = file
        self.number = number
        let size = try file.size()
        limit = previousEnd < UInt64(size) ? Int(previousEnd) : size
        let head = try file.bytes(at: 0, count: min(LetterFileHeader.size, limit))
        switch LetterFileHeader.decode(head, number: number) {
        case .success(let header):
            self.header = header
        case .failure(let fault):
            header = nil
            headerFault = fault
        }
    }

    /// Visits the good frames in order.
    ///
    /// - Parameter checksLastRows: whether the last frame is good only if its rows are, for they may never have reached the disk.
    /// - Parameter visit: returns whether to go on.
    func read(
        checksLastRows: Bool = false,
        _ visit: (Frame) throws(FileFault) -> Bool
    ) throws(FileFault) -> Ending {
        var position = LetterFileHeader.size
        var ending = Ending(end: min(position, limit), tail: limit..<limit)
        guard let header else {
            return Ending(end: 0, tail: 0..<limit)
        }
        // One frame is held back, since only its successor tells that it is not the last.
        var held: Frame?
        while position < limit {
            if let frame = try frame(at: position, salt: header.salt) {
                if let before = held, try !visit(before) { return ending }
                held = frame
                position += frame.lengths.frame
                ending.end = position
            } else if let next = try nextFrame(after: position, salt: header.salt) {
                ending.corrupt.append(position..<next)
                position = next
            } else {
                break
            }
        }
        if let last = held {
            if checksLastRows, try rows(of: last) == nil {
                ending.end = last.offset
            } else {
                _ = try visit(last)
            }
        }
        ending.tail = ending.end..<limit
        return ending
    }

    /// The rows of a frame; nil if their checksum is wrong.
    func rows(of frame: Frame) throws(FileFault) -> [UInt8]? {
        let bytes = try file.bytes(at: frame.rows.lowerBound, count: frame.rows.count)
        return LetterFrame.rowsAreGood(bytes, frame.lengths) ? bytes : nil
    }

    /// The good frame at `offset`, if there is one.
    func frame(at offset: Int, salt: UInt64) throws(FileFault) -> Frame? {
        let available = limit - offset
        guard available >= LetterFrame.headerSize else { return nil }
        let head = try file.bytes(at: offset, count: LetterFrame.headerSize)
        guard let lengths = LetterFrame.lengths(of: head, salt: salt, file: number, available: available)
        else { return nil }
        let entries = try file.bytes(at: offset + LetterFrame.headerSize, count: lengths.entryBytes)
        return LetterFrame.entries(head + entries, lengths)
            .map { Frame(offset: offset, lengths: lengths, entries: $0) }
    }

    /// The first good frame behind `position`, looked for at multiples of the alignment.
    private func nextFrame(after position: Int, salt: UInt64) throws(FileFault) -> Int? {
        let window = 1 << 20
        var start = position + LetterFrame.alignment
        while limit - start >= LetterFrame.headerSize {
            let bytes = try file.bytes(at: start, count: min(window, limit - start))
            guard bytes.count >= LetterFrame.headerSize else { return nil }
            var index = 0
            while index + LetterFrame.headerSize <= bytes.count {
                if LetterFrame.begins(bytes[index...]), try frame(at: start + index, salt: salt) != nil {
                    return start + index
                }
                index += LetterFrame.alignment
            }
            start += index
        }
        return nil
    }
}

extension File {
    /// `count` bytes at `offset`, fewer at the end of the file.
    func bytes(at offset: Int, count: Int) throws(FileFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var fault: FileFault?
        var filled = 0
        bytes.withUnsafeMutableBytes { buffer in
            do throws(FileFault) {
                filled = try read(into: buffer, at: offset)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        bytes.removeSubrange(filled...)
        return bytes
    }
}
