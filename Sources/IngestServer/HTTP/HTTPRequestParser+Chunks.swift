extension HTTPRequestParser {
    /// Reads `chunk-size [ chunk-ext ] CRLF` (RFC 9112, section 7.1); nil if it is complete.
    mutating func readChunkLine(_ input: UnsafeRawBufferPointer, _ at: inout Int) -> Step? {
        switch findLine(input, limit: limits.chunkLineBytes) {
        case .incomplete: return more(consumed: at)
        case .tooLong: return fail(.chunkLineTooLong)
        case .bareLineFeed: return fail(.badChunkSize)
        case .complete(let end):
            var index = lineStart
            var size = 0
            while index < end, let digit = HTTPCharacters.hexValue(input[index]) {
                // Stays at a number that no limit allows instead of running over.
                size = size > Int.max / 32 ? Int.max / 32 : size * 16 + Int(digit)
                index += 1
            }
            guard index > lineStart, index == end || input[index] == UInt8(ascii: ";") else {
                return fail(.badChunkSize)
            }
            guard Self.isExtension(input, from: index, to: end) else { return fail(.badChunkExtension) }
            extensionBytes += end - index
            guard extensionBytes <= limits.chunkExtensionBytes else { return fail(.chunkExtensionsTooLarge) }
            guard size <= limits.bodyBytes - chunkedBytes else { return fail(.bodyTooLarge) }
            chunkedBytes += size
            at = end + 2
            beginLine(at: at)
            state = size == 0 ? .trailers : .chunkData(remaining: size)
            return nil
        }
    }

    /// Reads the CRLF after a chunk's data; nil if it is complete.
    mutating func readChunkEnd(_ input: UnsafeRawBufferPointer, _ at: inout Int) -> Step? {
        guard input.count > at else { return more(consumed: at) }
        guard input[at] == HTTPCharacters.carriageReturn else { return fail(.badChunkEnd) }
        guard input.count > at + 1 else { return more(consumed: at) }
        guard input[at + 1] == HTTPCharacters.lineFeed else { return fail(.badChunkEnd) }
        at += 2
        beginLine(at: at)
        state = .chunkLine
        return nil
    }

    /// Reads the trailer section, whose fields are checked like any and then dropped; nil if it is complete.
    mutating func readTrailers(_ input: UnsafeRawBufferPointer, _ at: inout Int) -> Step? {
        while true {
            switch findLine(input, limit: limits.headerBytes - 2 - trailerBytes) {
            case .incomplete: return more(consumed: at)
            case .tooLong: return fail(.trailersTooLarge)
            case .bareLineFeed: return fail(.bareLineFeed)
            case .complete(let end):
                let isLast = end == lineStart
                if !isLast {
                    trailerCount += 1
                    guard trailerCount <= limits.headerCount else { return fail(.tooManyTrailers) }
                    if case .failure(let fault) = Self.split(input, from: lineStart, to: end) { return fail(fault) }
                }
                trailerBytes += end + 2 - lineStart
                at = end + 2
                beginLine(at: at)
                if isLast {
                    state = .complete
                    return nil
                }
            }
        }
    }

    /// `*( ";" token [ "=" ( token / quoted-string ) ] )`, without the "bad" white space that the RFC lets a server
    /// take.
    private static func isExtension(_ input: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Bool {
        var index = start
        func skipToken() -> Bool {
            let first = index
            while index < end, HTTPCharacters.isToken(input[index]) { index += 1 }
            return index > first
        }
        func skipQuoted() -> Bool {
            index += 1
            while index < end {
                let byte = input[index]
                index += 1
                if byte == UInt8(ascii: "\"") { return true }
                if byte == UInt8(ascii: "\\") {
                    guard index < end else { return false }
                    index += 1
                }
            }
            return false
        }
        guard !HTTPCharacters.holdsControl(UnsafeRawBufferPointer(rebasing: input[start..<end])) else { return false }
        while index < end {
            guard input[index] == UInt8(ascii: ";") else { return false }
            index += 1
            guard skipToken() else { return false }
            guard index < end, input[index] == UInt8(ascii: "=") else { continue }
            index += 1
            guard index < end else { return false }
            guard input[index] == UInt8(ascii: "\"") ? skipQuoted() : skipToken() else { return false }
        }
        return true
    }
}
