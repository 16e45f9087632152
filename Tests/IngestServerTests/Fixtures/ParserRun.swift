@testable import IngestServer

/// Feeds bytes to a parser in portions, as a connection does, and notes what comes out in a form that does not depend
/// on how the portions were cut.
struct ParserRun {
    private var parser: HTTPRequestParser
    private var unread: [UInt8] = []
    private(set) var transcript: [String] = []
    private var body: [UInt8] = []
    private(set) var fault: HTTPFault?

    init(limits: HTTPLimits = HTTPLimits()) {
        parser = HTTPRequestParser(limits: limits)
    }

    mutating func feed(_ portion: some Sequence<UInt8>) {
        unread.append(contentsOf: portion)
        while fault == nil {
            let bytes = unread
            let step = bytes.withUnsafeBytes { parser.next($0) }
            switch step {
            case .needMore(let consumed):
                unread.removeFirst(consumed)
                return
            case .head(let head, let consumed):
                transcript.append(bytes.withUnsafeBytes { Self.describe(head, $0) })
                unread.removeFirst(consumed)
            case .body(let range, let consumed):
                body.append(contentsOf: bytes[range])
                unread.removeFirst(consumed)
            case .end(let consumed):
                transcript.append("body \(String(decoding: body, as: UTF8.self))")
                body = []
                unread.removeFirst(consumed)
            case .failed(let found):
                fault = found
                transcript.append("fault \(found)")
            }
        }
    }

    private static func describe(_ head: HTTPRequestHead, _ bytes: UnsafeRawBufferPointer) -> String {
        func text(_ range: ByteRange?) -> String {
            range.map { String(decoding: $0.bytes(of: bytes.baseAddress!), as: UTF8.self) } ?? "-"
        }
        var line = "\(head.method) \(text(head.path))"
        if head.query != nil { line += "?\(text(head.query))" }
        line += " 1.\(head.minorVersion) \(head.framing) \(head.isPersistent ? "keep" : "close")"
        if head.expectsContinue { line += " expects" }
        for (name, range) in [
            ("type", head.contentType), ("coding", head.contentEncoding), ("auth", head.authorization),
            ("key", head.idempotencyKey), ("order", head.orderKey),
        ] where range != nil {
            line += " \(name)=\(text(range))"
        }
        return line
    }

    static func transcript(of text: String, limits: HTTPLimits = HTTPLimits()) -> [String] {
        var run = ParserRun(limits: limits)
        run.feed(text.utf8)
        return run.transcript
    }

    static func fault(in text: String, limits: HTTPLimits = HTTPLimits()) -> HTTPFault? {
        var run = ParserRun(limits: limits)
        run.feed(text.utf8)
        return run.fault
    }
}
