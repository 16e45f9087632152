import Glibc

/// Cuts the bytes of a connection into lines.
///
/// Pure; used like ``HTTPRequestParser``: the caller keeps the bytes, and drops as many as a step says. Each byte is
/// looked at once, however small the portions are.
package struct LineFramer: Sendable {
    package enum Step: Hashable, Sendable {
        /// More bytes are needed than there are after the consumed ones.
        case needMore(consumed: Int)
        /// A line, without its LF or CRLF.
        case line(Range<Int>, consumed: Int)
        /// The end of a line that was longer than the limit, and whose bytes were dropped as they came.
        case tooLong(consumed: Int)
    }

    /// Bytes that a line may have, its end left out.
    private let limit: Int
    private var scanned = 0
    private var isDropping = false

    package init(limit: Int) {
        self.limit = limit
    }

    /// The first byte of a line has been seen, but not its end.
    package func isWithinLine(unread: Int) -> Bool { unread > 0 || isDropping }

    package mutating func next(_ input: UnsafeRawBufferPointer) -> Step {
        guard input.count > scanned, let base = input.baseAddress else { return .needMore(consumed: 0) }
        guard let found = memchr(base + scanned, Int32(UInt8(ascii: "\n")), input.count - scanned) else {
            // A last CR may belong to the line's end, so one byte more than the limit is no verdict yet.
            if isDropping || input.count > limit + 1 {
                isDropping = true
                scanned = 0
                return .needMore(consumed: input.count)
            }
            scanned = input.count
            return .needMore(consumed: 0)
        }
        let end = UnsafeRawPointer(found) - base
        scanned = 0
        return finish(input, end: end, consumed: end + 1)
    }

    /// The bytes after the last line end, once no more will come; nil if there are none.
    package mutating func end(_ input: UnsafeRawBufferPointer) -> Step? {
        guard isWithinLine(unread: input.count) else { return nil }
        scanned = 0
        return finish(input, end: input.count, consumed: input.count)
    }

    private mutating func finish(_ input: UnsafeRawBufferPointer, end: Int, consumed: Int) -> Step {
        let lineEnd = end > 0 && input[end - 1] == UInt8(ascii: "\r") ? end - 1 : end
        if isDropping || lineEnd > limit {
            isDropping = false
            return .tooLong(consumed: consumed)
        }
        return .line(0..<lineEnd, consumed: consumed)
    }
}
