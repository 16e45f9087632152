extension HTTPRequestParser {
    /// Reads one header line, without its CRLF, into the draft.
    mutating func parseField(_ input: UnsafeRawBufferPointer, from start: Int, to end: Int) -> HTTPFault? {
        guard let base = input.baseAddress else { return .fieldWithoutColon }
        let name: UnsafeRawBufferPointer
        let range: ByteRange
        switch Self.split(input, from: start, to: end) {
        case .failure(let fault): return fault
        case .success(let field):
            name = UnsafeRawBufferPointer(start: base + start, count: field.nameEnd - start)
            range = field.value
        }
        let value = range.bytes(of: base)
        // Only names of these lengths mean anything here; the commonest others are told apart by length alone.
        switch name.count {
        case 4:
            if HTTPCharacters.equal(name, ignoringCase: "host") { return takeHost(value, range) }
        case 6:
            if HTTPCharacters.equal(name, ignoringCase: "expect") { return takeExpectation(value) }
            if HTTPCharacters.equal(name, ignoringCase: "origin") { draft.head.hasOrigin = true }
        case 10:
            if HTTPCharacters.equal(name, ignoringCase: "connection") { takeConnection(value) }
        case 12:
            if HTTPCharacters.equal(name, ignoringCase: "content-type") {
                return Self.take(range, &draft.head.contentType)
            }
        case 13:
            if HTTPCharacters.equal(name, ignoringCase: "authorization") {
                return Self.take(range, &draft.head.authorization)
            }
        case 14:
            if HTTPCharacters.equal(name, ignoringCase: "content-length") { return takeLength(value) }
        case 15:
            if HTTPCharacters.equal(name, ignoringCase: "idempotency-key") {
                return Self.take(range, &draft.head.idempotencyKey)
            }
        case 16:
            if HTTPCharacters.equal(name, ignoringCase: "content-encoding") {
                return Self.take(range, &draft.head.contentEncoding)
            }
        case 17:
            if HTTPCharacters.equal(name, ignoringCase: "transfer-encoding") { return takeTransferEncoding(value) }
        case 19:
            if HTTPCharacters.equal(name, ignoringCase: "x-forebay-order-key") {
                return Self.take(range, &draft.head.orderKey)
            }
        default:
            break
        }
        return nil
    }

    /// Name and value of a field line: `field-name ":" OWS field-value OWS` (RFC 9112, section 5).
    static func split(
        _ input: UnsafeRawBufferPointer,
        from start: Int,
        to end: Int
    ) -> Result<(nameEnd: Int, value: ByteRange), HTTPFault> {
        if HTTPCharacters.isBlank(input[start]) { return .failure(.foldedField) }
        var nameEnd = start
        while nameEnd < end, HTTPCharacters.isToken(input[nameEnd]) { nameEnd += 1 }
        guard nameEnd < end else { return .failure(.fieldWithoutColon) }
        guard input[nameEnd] == UInt8(ascii: ":") else {
            return .failure(HTTPCharacters.isBlank(input[nameEnd]) ? .spaceBeforeColon : .badFieldName)
        }
        guard nameEnd > start else { return .failure(.badFieldName) }
        var valueStart = nameEnd + 1
        var valueEnd = end
        while valueStart < valueEnd, HTTPCharacters.isBlank(input[valueStart]) { valueStart += 1 }
        while valueEnd > valueStart, HTTPCharacters.isBlank(input[valueEnd - 1]) { valueEnd -= 1 }
        guard !HTTPCharacters.holdsControl(UnsafeRawBufferPointer(rebasing: input[valueStart..<valueEnd])) else {
            return .failure(.controlCharacter)
        }
        return .success((nameEnd, ByteRange(valueStart, valueEnd)))
    }

    private static func take(_ range: ByteRange, _ field: inout ByteRange?) -> HTTPFault? {
        guard field == nil else { return .duplicateField }
        field = range
        return nil
    }

    private mutating func takeHost(_ value: UnsafeRawBufferPointer, _ range: ByteRange) -> HTTPFault? {
        guard draft.host == nil else { return .duplicateHost }
        for byte in value where !HTTPCharacters.isHost(byte) { return .badHost }
        draft.host = range
        return nil
    }

    private mutating func takeExpectation(_ value: UnsafeRawBufferPointer) -> HTTPFault? {
        guard HTTPCharacters.equal(value, ignoringCase: "100-continue") else { return .unknownExpectation }
        draft.head.expectsContinue = true
        return nil
    }

    private mutating func takeConnection(_ value: UnsafeRawBufferPointer) {
        Self.forEachElement(value) { element in
            if HTTPCharacters.equal(element, ignoringCase: "close") {
                draft.close = true
            } else if HTTPCharacters.equal(element, ignoringCase: "keep-alive") {
                draft.keepAlive = true
            }
        }
    }

    /// One decimal number, nothing else: a list of equal numbers may be merged by a recipient (RFC 9112, section 6.3),
    /// and is refused here, as is a second line.
    private mutating func takeLength(_ value: UnsafeRawBufferPointer) -> HTTPFault? {
        guard draft.length == nil else { return .duplicateLength }
        guard !value.isEmpty else { return .badLength }
        var length = 0
        for byte in value {
            guard HTTPCharacters.isDigit(byte) else { return .badLength }
            // Stays at a number that no limit allows instead of running over.
            length = length > Int.max / 16 ? Int.max / 16 : length * 10 + Int(byte - UInt8(ascii: "0"))
        }
        draft.length = length
        return nil
    }

    private mutating func takeTransferEncoding(_ value: UnsafeRawBufferPointer) -> HTTPFault? {
        guard !draft.isChunked else { return .duplicateTransferEncoding }
        var chunked = 0
        var others = 0
        var isChunkedLast = false
        var isMalformed = false
        Self.forEachElement(value) { element in
            isChunkedLast = HTTPCharacters.equal(element, ignoringCase: "chunked")
            if isChunkedLast {
                chunked += 1
            } else {
                others += 1
                isMalformed = isMalformed || element.isEmpty || !element.allSatisfy(HTTPCharacters.isToken)
            }
        }
        guard !isMalformed, chunked <= 1, chunked == 0 || isChunkedLast else { return .badTransferEncoding }
        guard others == 0 else { return .unknownTransferCoding }
        draft.isChunked = true
        return nil
    }

    /// The elements of a comma-separated list, without the blanks around them; an empty value has one empty element.
    private static func forEachElement(_ value: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        while true {
            var end = start
            while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
            var first = start
            var last = end
            while first < last, HTTPCharacters.isBlank(value[first]) { first += 1 }
            while last > first, HTTPCharacters.isBlank(value[last - 1]) { last -= 1 }
            body(UnsafeRawBufferPointer(rebasing: value[first..<last]))
            guard end < value.count else { return }
            start = end + 1
        }
    }
}
