extension HTTPRequestParser {
    /// Reads the request line; nil if it is complete and the fields are next.
    mutating func readRequestLine(_ input: UnsafeRawBufferPointer) -> Step? {
        while true {
            switch findLine(input, limit: limits.requestLineBytes) {
            case .incomplete: return .needMore(consumed: 0)
            case .tooLong: return fail(.requestLineTooLong)
            case .bareLineFeed: return fail(.bareLineFeed)
            case .complete(let end):
                if end == 0 {
                    // One empty line before a request is let pass (RFC 9112, section 2.2).
                    beginLine(at: 2)
                    continue
                }
                draft = Draft()
                if let fault = parseRequestLine(input, from: lineStart, to: end) { return fail(fault) }
                beginLine(at: end + 2)
                draft.sectionStart = end + 2
                state = .fields
                return nil
            }
        }
    }

    /// Reads header lines up to the empty one; then gives the head.
    mutating func readFields(_ input: UnsafeRawBufferPointer) -> Step? {
        while true {
            switch findLine(input, limit: limits.headerBytes - 2 - (lineStart - draft.sectionStart)) {
            case .incomplete: return .needMore(consumed: 0)
            case .tooLong: return fail(.headersTooLarge)
            case .bareLineFeed: return fail(.bareLineFeed)
            case .complete(let end):
                if end == lineStart {
                    if let fault = finishHead(input) { return fail(fault) }
                    beginLine(at: 0)
                    return .head(draft.head, consumed: end + 2)
                }
                draft.fieldCount += 1
                guard draft.fieldCount <= limits.headerCount else { return fail(.tooManyHeaders) }
                if let fault = parseField(input, from: lineStart, to: end) { return fail(fault) }
                beginLine(at: end + 2)
            }
        }
    }

    // MARK: - Request line

    private mutating func parseRequestLine(
        _ input: UnsafeRawBufferPointer,
        from start: Int,
        to end: Int
    ) -> HTTPFault? {
        var methodEnd = start
        while methodEnd < end, input[methodEnd] != HTTPCharacters.space { methodEnd += 1 }
        var targetEnd = methodEnd + 1
        while targetEnd < end, input[targetEnd] != HTTPCharacters.space { targetEnd += 1 }
        guard methodEnd > start, targetEnd > methodEnd + 1, targetEnd < end else { return .badRequestLine }

        let version = UnsafeRawBufferPointer(rebasing: input[(targetEnd + 1)..<end])
        guard version.count == 8, HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: version[..<5]), "HTTP/"),
            HTTPCharacters.isDigit(version[5]), version[6] == UInt8(ascii: "."), HTTPCharacters.isDigit(version[7])
        else { return .badVersion }
        guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else { return .unsupportedVersion }
        draft.head.minorVersion = version[7] - UInt8(ascii: "0")

        for index in start..<methodEnd where !HTTPCharacters.isToken(input[index]) { return .badMethod }
        draft.head.method = Self.method(UnsafeRawBufferPointer(rebasing: input[start..<methodEnd]))
        return parseTarget(input, from: methodEnd + 1, to: targetEnd)
    }

    /// Methods are told apart by case (RFC 9110, section 9.1).
    private static func method(_ name: UnsafeRawBufferPointer) -> HTTPMethod {
        if HTTPCharacters.equal(name, "POST") { return .post }
        if HTTPCharacters.equal(name, "GET") { return .get }
        if HTTPCharacters.equal(name, "HEAD") { return .head }
        if HTTPCharacters.equal(name, "OPTIONS") { return .options }
        if HTTPCharacters.equal(name, "PUT") { return .put }
        if HTTPCharacters.equal(name, "DELETE") { return .delete }
        if HTTPCharacters.equal(name, "PATCH") { return .patch }
        if HTTPCharacters.equal(name, "TRACE") { return .trace }
        if HTTPCharacters.equal(name, "CONNECT") { return .connect }
        return .other
    }

    private mutating func parseTarget(_ input: UnsafeRawBufferPointer, from start: Int, to end: Int) -> HTTPFault? {
        if end - start == 1, input[start] == UInt8(ascii: "*") {
            guard draft.head.method == .options else { return .badTarget }
            draft.head.path = ByteRange(start, end)
            return nil
        }
        var pathStart = start
        if input[start] != UInt8(ascii: "/") {
            // The absolute form, which a server has to take (RFC 9112, section 3.2.2).
            let target = UnsafeRawBufferPointer(rebasing: input[start..<end])
            var authority = start
            if target.count > 7,
                HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: target[..<4]), ignoringCase: "http"),
                HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: target[4..<7]), "://")
            {
                authority += 7
            } else if target.count > 8,
                HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: target[..<5]), ignoringCase: "https"),
                HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: target[5..<8]), "://")
            {
                authority += 8
            } else {
                return .badTarget
            }
            pathStart = authority
            while pathStart < end, input[pathStart] != UInt8(ascii: "/"), input[pathStart] != UInt8(ascii: "?") {
                guard HTTPCharacters.isHost(input[pathStart]) else { return .badTarget }
                pathStart += 1
            }
            guard pathStart > authority else { return .badTarget }
            draft.authority = ByteRange(authority, pathStart)
            if pathStart == end || input[pathStart] == UInt8(ascii: "?") {
                // An empty path means "/"; there is one right before the authority to point at.
                draft.head.path = ByteRange(authority - 1, authority)
                return pathStart == end ? nil : parseQuery(input, from: pathStart + 1, to: end)
            }
        }
        var pathEnd = pathStart
        while pathEnd < end, input[pathEnd] != UInt8(ascii: "?") { pathEnd += 1 }
        guard Self.isTarget(input, from: pathStart, to: pathEnd) else { return .badTarget }
        draft.head.path = ByteRange(pathStart, pathEnd)
        return pathEnd == end ? nil : parseQuery(input, from: pathEnd + 1, to: end)
    }

    private mutating func parseQuery(_ input: UnsafeRawBufferPointer, from start: Int, to end: Int) -> HTTPFault? {
        guard Self.isTarget(input, from: start, to: end) else { return .badTarget }
        draft.head.query = ByteRange(start, end)
        return nil
    }

    private static func isTarget(_ input: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Bool {
        var index = start
        while index < end {
            let byte = input[index]
            guard HTTPCharacters.isTarget(byte) else { return false }
            if byte == UInt8(ascii: "%") {
                guard end - index > 2, HTTPCharacters.hexValue(input[index + 1]) != nil,
                    HTTPCharacters.hexValue(input[index + 2]) != nil
                else { return false }
                index += 2
            }
            index += 1
        }
        return true
    }

    // MARK: - End of the head

    /// What can only be judged once every field is known.
    private mutating func finishHead(_ input: UnsafeRawBufferPointer) -> HTTPFault? {
        let isOld = draft.head.minorVersion == 0
        if draft.host == nil, !isOld { return .missingHost }
        if let authority = draft.authority, let host = draft.host, let base = input.baseAddress,
            !Self.equalIgnoringCase(authority.bytes(of: base), host.bytes(of: base))
        {
            return .hostMismatch
        }
        if draft.isChunked {
            if draft.length != nil { return .lengthWithTransferEncoding }
            if isOld { return .transferEncodingInOldVersion }
            draft.head.framing = .chunked
            state = .chunkLine
            chunkedBytes = 0
            extensionBytes = 0
            trailerBytes = 0
            trailerCount = 0
        } else if let length = draft.length {
            if length > limits.bodyBytes { return .bodyTooLarge }
            draft.head.framing = .length(length)
            state = length == 0 ? .complete : .content(remaining: length)
        } else {
            state = .complete
        }
        draft.head.isPersistent = !draft.close && (!isOld || draft.keepAlive)
        if isOld || draft.head.framing == .none || draft.head.framing == .length(0) {
            draft.head.expectsContinue = false
        }
        return nil
    }

    private static func equalIgnoringCase(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        func lowered(_ byte: UInt8) -> UInt8 {
            byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
        }
        return left.count == right.count && zip(left, right).allSatisfy { lowered($0) == lowered($1) }
    }
}
