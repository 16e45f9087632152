/// Lines on their way to one request.
package struct LineBatch: Hashable, Sendable {
    /// NDJSON: each line ended by a line feed.
    package var body: [UInt8]
    /// The number, counted from 1, that each event's line has in the input.
    package var lineNumbers: [Int]

    package init(body: [UInt8] = [], lineNumbers: [Int] = []) {
        self.body = body
        self.lineNumbers = lineNumbers
    }

    package var count: Int { lineNumbers.count }

    /// The batch in two halves, for finding the events that a server refuses to take; nil for a batch of one.
    package var halves: (LineBatch, LineBatch)? {
        guard count > 1 else { return nil }
        let middle = count / 2
        var lines = 0
        let cut = body.firstIndex { byte in
            lines += byte == UInt8(ascii: "\n") ? 1 : 0
            return lines == middle
        }
        guard let cut else { return nil }
        return (
            LineBatch(body: Array(body[...cut]), lineNumbers: Array(lineNumbers[..<middle])),
            LineBatch(body: Array(body[(cut + 1)...]), lineNumbers: Array(lineNumbers[middle...]))
        )
    }
}

/// Cuts a stream of bytes into lines and gathers these into batches: by number, by size, and by the time that the first line
/// of a batch has waited.
///
/// Pure: bytes and moments come as arguments. Moments are counted from any fixed point. Memory is bounded by one batch, one
/// line and what one `take` was given.
package struct LineBatcher: Sendable {
    package struct Limits: Hashable, Sendable {
        package var events: Int
        /// Of a batch's body; a single longer line makes a batch of its own.
        package var bytes: Int
        /// Longer lines are refused here.
        package var lineBytes: Int
        /// How long a line may wait for others; nil where all input is at hand, as in a file.
        package var linger: Duration?

        package init(
            events: Int = 1000,
            bytes: Int = 1 << 20,
            lineBytes: Int = 1 << 20,
            linger: Duration? = .milliseconds(200)
        ) {
            self.events = events
            self.bytes = bytes
            self.lineBytes = lineBytes
            self.linger = linger
        }
    }

    package let limits: Limits
    /// Lines that were too long, by number; whoever reads them empties the list.
    package var tooLong: [Int] = []
    /// Lines seen so far, empty ones included.
    package private(set) var lineCount = 0

    private var finished: [LineBatch] = []
    private var open = LineBatch()
    private var firstLineAt: Duration = .zero
    private var rest: [UInt8] = []
    private var skipping = false

    package init(limits: Limits) {
        self.limits = limits
    }

    /// Takes bytes in, as they were read.
    package mutating func take(_ bytes: UnsafeRawBufferPointer, at now: Duration) {
        var start = 0
        while start < bytes.count {
            let tail = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let length = tail.firstIndex(of: UInt8(ascii: "\n")) else {
                keep(tail)
                return
            }
            let line = UnsafeRawBufferPointer(rebasing: tail[..<length])
            if skipping || rest.count + line.count > limits.lineBytes {
                endOfTooLong()
            } else if rest.isEmpty {
                endOfLine(line, at: now)
            } else {
                rest.append(contentsOf: line)
                let whole = rest
                rest.removeAll(keepingCapacity: true)
                whole.withUnsafeBytes { endOfLine($0, at: now) }
            }
            start += length + 1
        }
    }

    /// The input has ended: a last line without a line feed counts, and whatever is there is a batch.
    package mutating func end(at now: Duration) {
        if skipping {
            endOfTooLong()
        } else if !rest.isEmpty {
            let whole = rest
            rest.removeAll()
            whole.withUnsafeBytes { endOfLine($0, at: now) }
        }
        closeBatch()
    }

    /// Nothing more shall be read: what is complete is a batch, an unfinished line is dropped.
    package mutating func stop() {
        rest.removeAll()
        closeBatch()
    }

    /// A batch that is full or has waited long enough; nil if there is none yet.
    package mutating func nextBatch(at now: Duration) -> LineBatch? {
        if finished.isEmpty, let due, due <= now {
            closeBatch()
        }
        return finished.isEmpty ? nil : finished.removeFirst()
    }

    /// When the open batch has waited long enough; nil while it is empty.
    package var due: Duration? {
        guard let linger = limits.linger, open.count > 0 else { return nil }
        return firstLineAt + linger
    }

    private mutating func keep(_ part: UnsafeRawBufferPointer) {
        if skipping || rest.count + part.count > limits.lineBytes {
            skipping = true
            rest.removeAll()
        } else {
            rest.append(contentsOf: part)
        }
    }

    private mutating func endOfTooLong() {
        lineCount += 1
        tooLong.append(lineCount)
        skipping = false
        rest.removeAll()
    }

    private mutating func endOfLine(_ line: UnsafeRawBufferPointer, at now: Duration) {
        lineCount += 1
        let isBlank = line.allSatisfy {
            $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
        }
        guard !isBlank else { return }
        if open.count > 0, open.body.count + line.count + 1 > limits.bytes {
            closeBatch()
        }
        if open.count == 0 {
            firstLineAt = now
        }
        open.body.append(contentsOf: line)
        open.body.append(UInt8(ascii: "\n"))
        open.lineNumbers.append(lineCount)
        if open.count >= limits.events || open.body.count >= limits.bytes {
            closeBatch()
        }
    }

    private mutating func closeBatch() {
        guard open.count > 0 else { return }
        finished.append(open)
        open = LineBatch()
    }
}
