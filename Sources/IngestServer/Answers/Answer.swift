import NIOCore
import Records

/// What a request is answered with, before it is put into bytes.
enum Answer: Hashable, Sendable {
    case accepted(Acceptance)
    case problem(Problem)
    /// 200 with a small JSON document.
    case document(String)
    /// 204 with the methods of the resource: the answer to OPTIONS.
    case options(allow: String)
}

/// The success of an ingest request.
struct Acceptance: Hashable, Sendable {
    /// Events stored by this request, or by the one that it repeats.
    var count: Int
    /// The last of them; nil for a request without events, which has no place in the queue.
    var last: Position?
    var isRepeat = false
    /// The watermark that was asked for was not passed in time: the answer is 202 and says so.
    var missed: WaitLevel?
    /// The refused events of `on_error=skip`, as the members of the JSON document that tell of them.
    var refused: [UInt8] = []
}

/// What the bytes of an answer depend on besides the answer.
struct AnswerContext: Hashable, Sendable {
    /// The request was HEAD: the answer has no body.
    var omitsBody = false
    /// The connection is closed after this answer.
    var closes = false
    /// The peer speaks HTTP/1.0 and asked to keep the connection.
    var announcesKeepAlive = false
    /// When the last byte of the request was there; nil for requests whose latency says nothing.
    var received: NIODeadline?
}
