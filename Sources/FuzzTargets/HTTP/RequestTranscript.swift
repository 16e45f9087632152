import IngestServer

/// The requests that a parser finds in bytes that come in portions, as a connection keeps them, told so that the portions don't show.
struct RequestTranscript: Equatable {
    struct Request: Equatable {
        var method: String
        var target: String
        var minorVersion: Int
        var isPersistent: Bool
        var contentType: String?
        /// Everything else that the head says.
        var details: String
        var body: [UInt8] = []
        var isComplete = false
    }

    private(set) var requests: [Request] = []
    private(set) var fault: HTTPFault?

    init(_ portions: [[UInt8]], _ limits: HTTPLimits) throws(Finding) {
        var parser = HTTPRequestParser(limits: limits)
        var unread: [UInt8] = []
        for portion in portions {
            unread += portion
            while fault == nil {
                // A copy of its own, so that a read beyond what is there is noticed.
                let bytes = Array(unread)
                let step = bytes.withUnsafeBytes { parser.next($0) }
                guard let consumed = try note(step, bytes) else { break }
                try promise(consumed <= unread.count, "\(consumed) of \(unread.count) bytes are consumed")
                unread.removeFirst(consumed)
                if case .needMore = step { break }
            }
        }
        if let fault {
            let step = unread.withUnsafeBytes { parser.next($0) }
            try promise(step == .failed(fault), "after \(fault) the parser goes on with \(step)")
        }
    }

    /// Notes what a step says; nil if it was the last.
    private mutating func note(_ step: HTTPRequestParser.Step, _ bytes: [UInt8]) throws(Finding) -> Int? {
        switch step {
        case .needMore(let consumed):
            return consumed
        case .head(let head, let consumed):
            try promise(requests.last?.isComplete ?? true, "a head within a request")
            requests.append(try Self.request(head, Array(bytes.prefix(consumed))))
            return consumed
        case .body(let range, let consumed):
            try promise(!range.isEmpty && range.upperBound <= consumed, "a piece \(range) of \(consumed) bytes")
            guard requests.last?.isComplete == false else { throw Finding("a body without a request") }
            requests[requests.count - 1].body += bytes[range]
            return consumed
        case .end(let consumed):
            guard requests.last?.isComplete == false else { throw Finding("an end without a request") }
            requests[requests.count - 1].isComplete = true
            return consumed
        case .failed(let fault):
            self.fault = fault
            return nil
        }
    }

    private static func request(_ head: HTTPRequestHead, _ bytes: [UInt8]) throws(Finding) -> Request {
        func text(_ range: ByteRange) throws(Finding) -> String {
            let (start, end) = (Int(range.start), Int(range.start) + Int(range.count))
            try promise(start >= 0 && end >= start && end <= bytes.count, "a range \(start)..<\(end) of \(bytes.count)")
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }
        var details = "\(head.framing) \(head.expectsContinue)"
        for range in [head.contentEncoding, head.authorization, head.idempotencyKey, head.orderKey] {
            details += try range.map { (range) throws(Finding) in " " + (try text(range)) } ?? " -"
        }
        let query = try head.query.map { (range) throws(Finding) in "?" + (try text(range)) } ?? ""
        return Request(
            method: "\(head.method)".uppercased(),
            target: try text(head.path) + query,
            minorVersion: Int(head.minorVersion),
            isPersistent: head.isPersistent,
            contentType: try head.contentType.map { (range) throws(Finding) in try text(range) },
            details: details
        )
    }
}
