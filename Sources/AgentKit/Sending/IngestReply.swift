import FoundationEssentials

/// What an ingest request came back with.
package enum IngestReply: Hashable, Sendable {
    /// A complete HTTP answer.
    case answer(HTTPAnswer)
    /// No complete answer: refused, reset, cut off or timed out. The server may or may not have taken the request.
    case lost(reason: String)
}

/// An HTTP answer, read to its end.
package struct HTTPAnswer: Hashable, Sendable {
    package var status: Int
    /// From `Retry-After`, in its form of seconds.
    package var retryAfter: Duration?
    package var body: [UInt8]

    package init(status: Int, retryAfter: Duration? = nil, body: [UInt8] = []) {
        self.status = status
        self.retryAfter = retryAfter
        self.body = body
    }

    /// What the body says, for messages: the detail of a problem document (RFC 9457), else its first 300 characters.
    package var excerpt: String {
        struct ProblemDocument: Decodable {
            var detail: String
        }
        if let problem = try? JSONDecoder().decode(ProblemDocument.self, from: Data(body)) {
            return problem.detail
        }
        return String(decoding: body.prefix(300), as: UTF8.self).split(whereSeparator: \.isNewline).joined(
            separator: " "
        )
    }
}

/// The server's word on a request that it acknowledged.
package struct Acknowledgement: Hashable, Sendable, Decodable {
    package var accepted: Int
    package var receipt: String?
    /// The idempotency key was known: nothing was stored this time, since it is already.
    package var repeated: Bool?
    /// How many events were refused.
    package var refused: Int?
    /// The first of them.
    package var errors: [RefusedEvent]?

    package init(
        accepted: Int,
        receipt: String? = nil,
        repeated: Bool? = nil,
        refused: Int? = nil,
        errors: [RefusedEvent]? = nil
    ) {
        self.accepted = accepted
        self.receipt = receipt
        self.repeated = repeated
        self.refused = refused
        self.errors = errors
    }

    /// Reads the JSON body of a 200; nil if it is not Forebay's.
    package init?(body: [UInt8]) {
        guard let value = try? JSONDecoder().decode(Acknowledgement.self, from: Data(body)) else { return nil }
        self = value
    }
}

/// An event that the server did not take, and why.
package struct RefusedEvent: Hashable, Sendable, Decodable {
    /// Counted from 0 within the request.
    package var index: Int
    package var column: String?
    /// The event's field, where that is not the column's name.
    package var field: String?
    package var reason: String?
    package var found: String?
    package var expected: String?

    package init(
        index: Int,
        column: String? = nil,
        field: String? = nil,
        reason: String? = nil,
        found: String? = nil,
        expected: String? = nil
    ) {
        self.index = index
        self.column = column
        self.field = field
        self.reason = reason
        self.found = found
        self.expected = expected
    }

    package var text: String {
        let place = column.map { "column \($0): " } ?? field.map { "field \($0): " } ?? ""
        let details = [found.map { "found \($0)" }, expected.map { "expected \($0)" }].compactMap { $0 }
        return place + ([reason ?? "refused"] + details).joined(separator: ", ")
    }
}
