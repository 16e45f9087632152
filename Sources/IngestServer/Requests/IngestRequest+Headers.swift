import IngestFormats

extension IngestRequest {
    /// The token of `Bearer TOKEN` (RFC 6750, section 2.1); nil for another scheme.
    static func bearerToken(_ value: UnsafeRawBufferPointer) -> String? {
        guard value.count > 7,
            HTTPCharacters.equal(UnsafeRawBufferPointer(rebasing: value[..<6]), ignoringCase: "bearer"),
            value[6] == HTTPCharacters.space
        else { return nil }
        let token = value[7...].drop { $0 == HTTPCharacters.space }
        return String(validating: token, as: UTF8.self)
    }

    /// JSON and NDJSON under their usual names. An absent type is judged by the body's first byte.
    static func bodyFormat(_ value: UnsafeRawBufferPointer) throws(Problem) -> BodyFormat {
        let end = value.firstIndex(of: UInt8(ascii: ";")) ?? value.count
        var typeEnd = end
        while typeEnd > 0, HTTPCharacters.isBlank(value[typeEnd - 1]) { typeEnd -= 1 }
        let type = UnsafeRawBufferPointer(rebasing: value[..<typeEnd])
        let format: BodyFormat
        if HTTPCharacters.equal(type, ignoringCase: "application/json") {
            format = .detect
        } else if HTTPCharacters.equal(type, ignoringCase: "application/x-ndjson")
            || HTTPCharacters.equal(type, ignoringCase: "application/ndjson")
            || HTTPCharacters.equal(type, ignoringCase: "application/jsonl")
        {
            format = .lines
        } else {
            throw .unsupportedType(String(decoding: value.prefix(100), as: UTF8.self))
        }
        if end < value.count { try checkParameters(UnsafeRawBufferPointer(rebasing: value[end...]), of: value) }
        return format
    }

    /// JSON is UTF-8 (RFC 8259, section 8.1); a charset that says otherwise is not taken for a slip. Other parameters
    /// mean nothing.
    private static func checkParameters(
        _ parameters: UnsafeRawBufferPointer,
        of value: UnsafeRawBufferPointer
    ) throws(Problem) {
        for parameter in parameters.split(separator: UInt8(ascii: ";")) {
            let text = String(decoding: parameter, as: UTF8.self).lowercased().filter { $0 != " " && $0 != "\t" }
            guard text.hasPrefix("charset=") else { continue }
            let charset = text.dropFirst(8).filter { $0 != "\"" }
            guard charset == "utf-8" || charset == "utf8" || charset == "us-ascii" else {
                throw .unsupportedType(String(decoding: value.prefix(100), as: UTF8.self))
            }
        }
    }

    /// One coding, or `identity`, which is none.
    static func contentCoding(_ value: UnsafeRawBufferPointer) throws(Problem) -> ContentCoding? {
        if HTTPCharacters.equal(value, ignoringCase: "gzip") || HTTPCharacters.equal(value, ignoringCase: "x-gzip") {
            return .gzip
        }
        if HTTPCharacters.equal(value, ignoringCase: "deflate") { return .deflate }
        if HTTPCharacters.equal(value, ignoringCase: "lz4") { return .lz4 }
        if HTTPCharacters.equal(value, ignoringCase: "identity") { return nil }
        throw .unsupportedCoding(String(decoding: value.prefix(100), as: UTF8.self))
    }

    /// 1 to 255 visible ASCII characters, so that no two spellings mean one key.
    static func checkedKey(_ value: UnsafeRawBufferPointer) throws(Problem) -> UnsafeRawBufferPointer {
        guard 1...255 ~= value.count, value.allSatisfy({ 0x21...0x7E ~= $0 }) else {
            throw Problem(
                400,
                "bad-idempotency-key",
                "Bad Idempotency-Key",
                detail: "Idempotency-Key is 1 to 255 visible ASCII characters."
            )
        }
        return value
    }

    static func orderHash(_ value: UnsafeRawBufferPointer) throws(Problem) -> UInt64 {
        guard 1...255 ~= value.count else {
            throw Problem(
                400,
                "bad-order-key",
                "Bad X-Forebay-Order-Key",
                detail: "X-Forebay-Order-Key is 1 to 255 bytes."
            )
        }
        return Digest.spread(value)
    }
}

extension Problem {
    static func badQuery(_ detail: String) -> Problem {
        Problem(400, "bad-query", "Bad query parameter", detail: detail)
    }

    static func unsupportedType(_ found: String) -> Problem {
        Problem(
            415,
            "unsupported-type",
            "Unsupported media type",
            detail: "Content-Type is \"\(found)\"; application/json or application/x-ndjson, in UTF-8, is expected."
        )
    }

    static func unsupportedCoding(_ found: String) -> Problem {
        Problem(
            415,
            "unsupported-coding",
            "Unsupported content coding",
            detail: "Content-Encoding is \"\(found)\"; one of gzip, deflate, lz4 or identity is expected."
        )
    }

    static func readOnly(_ reason: String) -> Problem {
        unavailable(
            "read-only",
            detail: "The queue takes no events (\(reason)); nothing of this request was stored.",
            retryAfter: 10
        )
    }
}
