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

    /// The first 300 characters of the body on one line, for messages.
    package var excerpt: String {
        String(decoding: body.prefix(300), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}

/// The server's word on a request that it acknowledged.
package struct Acknowledgement: Hashable, Sendable, Decodable {
    package var accepted: Int
    package var receipt: String?
    /// The idempotency key was known: nothing was stored this time, since it is already.
    package var repeated: Bool?
    package var refused: [RefusedEvent]?
    /// How many events were refused, where the list was cut.
    package var refusedCount: Int?

    package init(
        accepted: Int,
        receipt: String? = nil,
        repeated: Bool? = nil,
        refused: [RefusedEvent]? = nil
    ) {
        self.accepted = accepted
        self.receipt = receipt
        self.repeated = repeated
        self.refused = refused
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
    package var reason: String?

    package init(index: Int, column: String? = nil, reason: String? = nil) {
        self.index = index
        self.column = column
        self.reason = reason
    }

    package var text: String {
        [column.map { "column \($0)" }, reason ?? "refused"].compactMap { $0 }.joined(separator: ": ")
    }
}
