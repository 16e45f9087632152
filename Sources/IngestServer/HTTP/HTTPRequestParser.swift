import Glibc

/// Frames the requests of one connection, strictly by RFC 9112: whatever two readers could understand in two ways is a
/// fault.
///
/// Pure. The caller keeps the bytes: it passes all that it has and has not consumed, takes one step, drops as many
/// bytes as the step says, and goes on until ``Step/needMore(consumed:)``. It may add bytes in any portions, one by one
/// included; the steps are the same but for where the pieces of a body are cut. A head is consumed in one piece, so
/// that its ranges are good while the caller looks at it; the limits bound how much that can be.
///
/// Line ends are looked for once per byte, however small the portions are.
package struct HTTPRequestParser: Sendable {
    package enum Step: Hashable, Sendable {
        /// More bytes are needed than there are after the consumed ones.
        case needMore(consumed: Int)
        /// The head of a request; its ranges count from the first byte of the input.
        case head(HTTPRequestHead, consumed: Int)
        /// The next piece of the body, as a range of the input.
        case body(Range<Int>, consumed: Int)
        /// The request is complete; the next step begins another.
        case end(consumed: Int)
        /// The connection can't be understood any further. Every later step is the same fault.
        case failed(HTTPFault)
    }

    /// Where the next byte belongs.
    enum State {
        /// In the request line, or in the one empty line before it. Goes to `fields`.
        case requestLine
        /// In the header section. Goes to `content`, `chunkLine` or `complete`.
        case fields
        /// In a body of known length. Goes to `complete`.
        case content(remaining: Int)
        /// In a chunk-size line. Goes to `chunkData`, after the last chunk to `trailers`.
        case chunkLine
        /// In the data of a chunk. Goes to `chunkEnd`.
        case chunkData(remaining: Int)
        /// In the CRLF after a chunk's data. Goes to `chunkLine`.
        case chunkEnd
        /// In the trailer section. Goes to `complete`.
        case trailers
        /// All of the request was seen. Goes to `requestLine`.
        case complete
        case failed(HTTPFault)
    }

    /// Facts of a head that only matter until it is complete.
    struct Draft {
        var head = HTTPRequestHead()
        var sectionStart = 0
        var fieldCount = 0
        var host: ByteRange?
        var authority: ByteRange?
        var length: Int?
        var isChunked = false
        var close = false
        var keepAlive = false
    }

    let limits: HTTPLimits
    var state = State.requestLine
    var draft = Draft()
    /// The first byte of the current line, and how far its end was looked for already; from the first byte of the
    /// input.
    var lineStart = 0
    var scanned = 0
    var chunkedBytes = 0
    var extensionBytes = 0
    var trailerBytes = 0
    var trailerCount = 0

    package init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// No byte of a next request has been seen.
    package func isIdle(unread: Int) -> Bool {
        guard case .requestLine = state else { return false }
        return unread == 0
    }

    /// Looks at the bytes that are there and not yet consumed.
    package mutating func next(_ input: UnsafeRawBufferPointer) -> Step {
        var at = 0
        while true {
            switch state {
            case .requestLine:
                if let step = readRequestLine(input) { return step }
            case .fields:
                if let step = readFields(input) { return step }
            case .content(let remaining):
                guard input.count > 0 else { return .needMore(consumed: 0) }
                let count = min(remaining, input.count)
                state = count == remaining ? .complete : .content(remaining: remaining - count)
                return .body(0..<count, consumed: count)
            case .chunkLine:
                if let step = readChunkLine(input, &at) { return step }
            case .chunkData(let remaining):
                guard input.count > at else { return more(consumed: at) }
                let count = min(remaining, input.count - at)
                state = count == remaining ? .chunkEnd : .chunkData(remaining: remaining - count)
                beginLine(at: 0)
                return .body(at..<at + count, consumed: at + count)
            case .chunkEnd:
                if let step = readChunkEnd(input, &at) { return step }
            case .trailers:
                if let step = readTrailers(input, &at) { return step }
            case .complete:
                state = .requestLine
                beginLine(at: 0)
                return .end(consumed: at)
            case .failed(let fault):
                return .failed(fault)
            }
        }
    }

    /// A line of the input, where its end is looked for.
    enum Line {
        /// `end` is the offset of the CR; the next line begins two bytes on.
        case complete(end: Int)
        case incomplete
        case tooLong
        case bareLineFeed
    }

    /// Looks for the end of the line that begins at `lineStart` and may have `limit` bytes without its CRLF.
    ///
    /// The length is judged before anything else, so that the verdict does not depend on how the bytes came in.
    mutating func findLine(_ input: UnsafeRawBufferPointer, limit: Int) -> Line {
        guard input.count > scanned, let base = input.baseAddress else { return .incomplete }
        guard let found = memchr(base + scanned, Int32(HTTPCharacters.lineFeed), input.count - scanned) else {
            scanned = input.count
            return input.count - lineStart > limit + 1 ? .tooLong : .incomplete
        }
        let lineFeed = UnsafeRawPointer(found) - base
        scanned = lineFeed + 1
        if lineFeed - lineStart > limit + 1 { return .tooLong }
        guard lineFeed > lineStart, input[lineFeed - 1] == HTTPCharacters.carriageReturn else { return .bareLineFeed }
        return .complete(end: lineFeed - 1)
    }

    mutating func beginLine(at offset: Int) {
        lineStart = offset
        scanned = offset
    }

    /// Asks for more, and has the line offsets count from the first byte that is kept.
    mutating func more(consumed: Int) -> Step {
        lineStart -= consumed
        scanned = max(0, scanned - consumed)
        return .needMore(consumed: consumed)
    }

    mutating func fail(_ fault: HTTPFault) -> Step {
        state = .failed(fault)
        return .failed(fault)
    }
}
