/// An answer other than success, as `application/problem+json` (RFC 9457).
struct Problem: Error, Hashable, Sendable {
    var status: Int
    /// The last part of the URI of `type`.
    var slug: String
    var title: String
    /// What was found, what was expected, and the remedy if there is one.
    var detail: String
    /// Further members, as JSON text without the braces around them; empty if there are none.
    var members: [UInt8] = []
    /// Seconds, for 503.
    var retryAfter: Int?
    /// The methods of the resource, for 405.
    var allow: String?
    /// Events that were refused for what they are.
    var refusedEvents = 0

    init(_ status: Int, _ slug: String, _ title: String, detail: String) {
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
    }

    /// The document's bytes.
    var document: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(128 + detail.utf8.count + members.count)
        text.append(contentsOf: "{\"type\":".utf8)
        JSONText.append("urn:forebay:problem:" + slug, to: &text)
        text.append(contentsOf: ",\"title\":".utf8)
        JSONText.append(title, to: &text)
        text.append(contentsOf: ",\"status\":\(status),\"detail\":".utf8)
        JSONText.append(detail, to: &text)
        if !members.isEmpty {
            text.append(UInt8(ascii: ","))
            text.append(contentsOf: members)
        }
        text.append(UInt8(ascii: "}"))
        return text
    }
}

extension Problem {
    init(_ fault: HTTPFault) {
        let (slug, title) =
            switch fault.status {
            case 413: ("body-too-large", "Body too large")
            case 414: ("request-line-too-long", "Request line too long")
            case 417: ("unknown-expectation", "Unknown expectation")
            case 431: ("headers-too-large", "Headers too large")
            case 501: ("unknown-transfer-coding", "Unknown transfer coding")
            case 505: ("http-version", "HTTP version not supported")
            default: ("bad-request", "Bad request")
            }
        self.init(fault.status, slug, title, detail: fault.detail)
    }

    static let notFound = Problem(
        404,
        "not-found",
        "Not found",
        detail: "There is nothing at this path; events go to POST /v1/ingest/{stream}."
    )

    /// Why there is no plan for a stream: it is not configured (404), or its table has never been read (503).
    static func noPlan(for stream: String, _ backend: any IngestBackend) -> Problem {
        guard let reason = backend.absence(of: stream) else { return unknownStream(stream) }
        return unavailable(
            "stream-not-ready",
            detail: "The stream \(quoted(stream)) is not ready: \(reason); nothing of this request was stored.",
            retryAfter: 5
        )
    }

    static func unknownStream(_ name: String) -> Problem {
        Problem(
            404,
            "unknown-stream",
            "Unknown stream",
            detail: "There is no stream \(quoted(name)). Streams are named in the configuration, under streams."
        )
    }

    static func methodNotAllowed(_ allow: String) -> Problem {
        var problem = Problem(
            405,
            "method-not-allowed",
            "Method not allowed",
            detail: "This path takes \(allow)."
        )
        problem.allow = allow
        return problem
    }

    static let unknownMethod = Problem(
        501,
        "unknown-method",
        "Unknown method",
        detail: "The method is not one of RFC 9110 or RFC 5789."
    )

    static let unauthenticated = Problem(
        401,
        "unauthenticated",
        "Unauthenticated",
        detail: "A known token is expected, as in Authorization: Bearer TOKEN; make one with forebay token create."
    )

    static func forbidden(_ stream: String) -> Problem {
        Problem(403, "forbidden", "Forbidden", detail: "The token may not send to stream \(quoted(stream)).")
    }

    static let ofWebPage = Problem(
        403,
        "forbidden",
        "Forbidden",
        detail: "A script of a web page sent this (it has an Origin), without a token."
    )

    static let timedOut = Problem(
        408,
        "request-timeout",
        "Request timeout",
        detail: "The request did not arrive in time."
    )

    static func truncated(_ detail: String) -> Problem {
        Problem(400, "truncated", "Truncated request", detail: detail)
    }

    /// The budget of all connections is used up, and did not free in time.
    static let noMemory = unavailable(
        "overloaded",
        detail: "More bodies are on their way than the proxy holds in memory; nothing of this request was stored.",
        retryAfter: 1
    )

    static let keyReused = Problem(
        422,
        "key-reused",
        "Idempotency key reused",
        detail:
            "The Idempotency-Key came before with another body; a repeated request needs the same body, another one another key."
    )

    /// Nothing was stored, and the same request will be taken later.
    static func unavailable(_ slug: String, detail: String, retryAfter: Int) -> Problem {
        var problem = Problem(503, slug, "Unavailable", detail: detail)
        problem.retryAfter = retryAfter
        return problem
    }

    static let overloaded = unavailable(
        "overloaded",
        detail: "More is waiting to be written than the proxy holds in memory; nothing of this request was stored.",
        retryAfter: 1
    )

    static let full = unavailable(
        "full",
        detail: "The disk budget of the queue is used up; nothing of this request was stored.",
        retryAfter: 10
    )

    static let closing = unavailable(
        "closing",
        detail: "The proxy is shutting down; nothing of this request was stored.",
        retryAfter: 1
    )

    static func notWritten(_ reason: String) -> Problem {
        unavailable(
            "write-failed",
            detail: "The events could not be made durable (\(reason)); they may or may not be stored. "
                + "Send them again, with the same Idempotency-Key if there was one.",
            retryAfter: 1
        )
    }

    /// Text of an agent inside a sentence: in double quotes, and cut so that an answer stays small.
    private static func quoted(_ text: String) -> String {
        text.utf8.count > 100 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
    }
}
