import IngestFormats
import Records

/// What one request asks for: everything but its body.
struct IngestRequest {
    var plan: DecodePlan
    /// Nil for durable, which is what every answer waits for.
    var wait: WaitLevel?
    var onError = OnError.refuseAll
    var format = BodyFormat.detect
    var coding: ContentCoding?
    var key: IdempotencyKey?
    /// Nil for requests that name no order key.
    var orderHash: UInt64?
    /// Nil where nobody wants to know.
    var writer: Identity?
}

/// What a head leads to.
enum RequestPurpose {
    case ingest(IngestRequest)
    /// Answered without its body, which is dropped.
    case answer(Answer)
}

extension IngestRequest {
    static let allowedMethods = "POST, OPTIONS"
    static let readMethods = "GET, HEAD, OPTIONS"

    /// Judges a head: path, method, token, stream, query, headers, in this order; the first that is wrong is the
    /// answer.
    ///
    /// - Parameter base: the head's first byte.
    static func purpose(
        of head: HTTPRequestHead,
        base: UnsafeRawPointer,
        backend: any IngestBackend
    ) -> RequestPurpose {
        do throws(Problem) {
            let path = head.path.bytes(of: base)
            if path.starts(with: ingestPrefix) {
                return try ingestPurpose(of: head, path: path, base: base, backend: backend)
            }
            if HTTPCharacters.equal(path, "/healthz") {
                return .answer(try healthAnswer(head.method, backend: backend))
            }
            if HTTPCharacters.equal(path, "*") { return .answer(.options(allow: "GET, HEAD, POST, OPTIONS")) }
            throw head.method == .other ? .unknownMethod : .notFound
        } catch {
            return .answer(.problem(error))
        }
    }

    private static let ingestPrefix = Array("/v1/ingest/".utf8)

    private static func ingestPurpose(
        of head: HTTPRequestHead,
        path: UnsafeRawBufferPointer,
        base: UnsafeRawPointer,
        backend: any IngestBackend
    ) throws(Problem) -> RequestPurpose {
        let name = UnsafeRawBufferPointer(rebasing: path[ingestPrefix.count...])
        guard !name.isEmpty, !name.contains(UInt8(ascii: "/")) else { throw .notFound }
        let stream = try percentDecoded(name)
        switch head.method {
        case .post: break
        case .options: return .answer(.options(allow: allowedMethods))
        case .other: throw .unknownMethod
        case .get, .head, .put, .delete, .patch, .trace, .connect: throw .methodNotAllowed(allowedMethods)
        }
        let token = head.authorization.flatMap { bearerToken($0.bytes(of: base)) }
        let identity: Identity
        switch backend.authorize(token: token, stream: stream) {
        case .allowed(let someone): identity = someone
        case .unauthenticated: throw .unauthenticated
        case .forbidden: throw .forbidden(stream)
        }
        // Any page that a browser on this machine shows can reach a port of loopback; none can know a token.
        if head.hasOrigin, token == nil { throw .ofWebPage }
        guard let plan = backend.plan(for: stream) else { throw .noPlan(for: stream, backend) }
        var request = IngestRequest(plan: plan)
        if backend.remembersWrites { request.writer = identity }
        if let query = head.query {
            try request.readQuery(query.bytes(of: base), backend: backend)
        }
        if let type = head.contentType {
            request.format = try bodyFormat(type.bytes(of: base))
        }
        if let coding = head.contentEncoding {
            request.coding = try contentCoding(coding.bytes(of: base))
        }
        if let key = head.idempotencyKey {
            request.key = try Digest.key(checkedKey(key.bytes(of: base)), stream: stream, identity: identity)
        }
        if let order = head.orderKey {
            request.orderHash = try orderHash(order.bytes(of: base))
        }
        switch backend.intake {
        case .accepting: break
        case .full: throw .full
        case .failed(let reason): throw .readOnly(reason)
        case .closing: throw .closing
        }
        return .ingest(request)
    }

    private static func healthAnswer(_ method: HTTPMethod, backend: any IngestBackend) throws(Problem) -> Answer {
        switch method {
        case .get, .head: break
        case .options: return .options(allow: readMethods)
        case .other: throw .unknownMethod
        case .post, .put, .delete, .patch, .trace, .connect: throw .methodNotAllowed(readMethods)
        }
        switch backend.intake {
        case .accepting: return .document("{\"status\":\"accepting\"}")
        case .full: throw .full
        case .failed(let reason): throw .readOnly(reason)
        case .closing: throw .closing
        }
    }

    // MARK: - Query

    private mutating func readQuery(_ query: UnsafeRawBufferPointer, backend: any IngestBackend) throws(Problem) {
        var hasWait = false
        var hasOnError = false
        for pair in query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: true) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try Self.percentDecoded(UnsafeRawBufferPointer(rebasing: pair[..<equals]))
            let value = try Self.percentDecoded(UnsafeRawBufferPointer(rebasing: pair[equals...].dropFirst()))
            switch name {
            case "wait" where !hasWait:
                hasWait = true
                guard value != "durable" else { continue }
                guard let level = WaitLevel(rawValue: value) else {
                    throw .badQuery("wait is durable, committed or replicated, not \"\(value.prefix(60))\".")
                }
                guard backend.tracks(level) else {
                    throw .badQuery("wait=\(level.rawValue) can't be answered: this proxy follows no such watermark.")
                }
                wait = level
            case "on_error" where !hasOnError:
                hasOnError = true
                switch value {
                case "refuse": onError = .refuseAll
                case "skip": onError = .skip
                default: throw .badQuery("on_error is refuse or skip, not \"\(value.prefix(60))\".")
                }
            case "wait", "on_error":
                throw .badQuery("\(name) is given twice.")
            default:
                throw .badQuery("There is no parameter \"\(name.prefix(60))\"; there are wait and on_error.")
            }
        }
    }

    private static func percentDecoded(_ bytes: UnsafeRawBufferPointer) throws(Problem) -> String {
        guard bytes.contains(UInt8(ascii: "%")) else { return String(decoding: bytes, as: UTF8.self) }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            // The parser has seen to it that two hexadecimal digits follow each "%".
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = HTTPCharacters.hexValue(bytes[index + 1]),
                let low = HTTPCharacters.hexValue(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw Problem(
                HTTPFault.badTarget.status,
                "bad-target",
                "Bad request target",
                detail: "The decoded path or query is not UTF-8."
            )
        }
        return text
    }
}
