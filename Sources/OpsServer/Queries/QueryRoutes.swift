import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// `/v1/query` and `/v1/kpi`. The contract is <doc:Queries>.
struct QueryRoutes: Sendable {
    /// nil where there is no read port.
    let backend: (any QueryBackend)?

    func add(to router: Router<OpsContext>) {
        router.post("/v1/query") { request, context in
            await answer(request, names: []) { _ throws(QueryProblem) in
                let body = try await Self.body(of: request, context)
                return (body.sql, body.parameters)
            }
        }
        router.get("/v1/kpi/:period") { request, context in
            await answer(request, names: KeyFigures.names) { parameters throws(QueryProblem) in
                guard let period = KeyFigures.Period(rawValue: context.parameters.get("period") ?? "") else {
                    throw QueryProblem(.notFound, "There are /v1/kpi/hourly and /v1/kpi/daily.")
                }
                let figures = KeyFigures(period, parameters)
                return (figures.sql, figures.parameters)
            }
        }
    }

    // MARK: The way of a request

    private func answer(
        _ request: Request,
        names: Set<String>,
        _ statement: ([String: String]) async throws(QueryProblem) -> (sql: String, parameters: [String?])
    ) async -> Response {
        do throws(QueryProblem) {
            guard let backend else {
                throw QueryProblem(.notFound, "There is no read port: read.listen is empty.")
            }
            guard let credentials = Self.credentials(of: request), let identity = backend.identity(of: credentials)
            else {
                throw QueryProblem(
                    .unauthorized,
                    "Name a user of the read port with its password, or a token that may read.",
                    hint: "forebay token create NAME --read"
                )
            }
            let query = try Self.query(of: request, names: names)
            let format = try Self.format(query["format"], request.headers[.accept])
            let limits = try Self.limits(query, backend.limits)
            let statement = try await statement(query)
            let order = QueryOrder(
                sql: statement.sql,
                parameters: statement.parameters,
                identity: identity,
                after: query["after"],
                limits: limits
            )
            do {
                let result = try await backend.run(order)
                // An answer to HEAD is sent without its body, which would have closed the result.
                if request.method == .head { result.close() }
                return Self.response(result, format)
            } catch {
                throw QueryProblem(error)
            }
        } catch {
            return Self.refusal(error)
        }
    }

    private static func body(of request: Request, _ context: OpsContext) async throws(QueryProblem) -> QueryBody {
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/json") == true else {
            throw QueryProblem(.unsupportedMediaType, "Send application/json.")
        }
        do {
            let bytes = try await request.body.collect(upTo: context.maxUploadSize)
            let body = try JSONDecoder().decode(QueryBody.self, from: Data(bytes.readableBytesView))
            guard body.parameters.count <= 65_535 else {
                throw QueryProblem(.badRequest, "\(body.parameters.count) parameters; 65535 is the most.")
            }
            return body
        } catch is NIOTooManyBytesError {
            throw QueryProblem(.contentTooLarge, "The body is larger than \(context.maxUploadSize) bytes.")
        } catch let problem as QueryProblem {
            throw problem
        } catch DecodingError.dataCorrupted(let found) where found.codingPath.isEmpty && found.underlyingError == nil {
            throw QueryProblem(.badRequest, "In the body \(found.debugDescription).")
        } catch {
            throw QueryProblem(
                .badRequest,
                #"The body is not an object such as {"sql":"SELECT $1::int","parameters":[1]}."#
            )
        }
    }

    // MARK: Reading a request

    private static func credentials(of request: Request) -> QueryCredentials? {
        guard let value = request.headers[.authorization], let space = value.firstIndex(of: " ") else { return nil }
        let rest = value[value.index(after: space)...].drop { $0 == " " }
        switch value[..<space].lowercased() {
        case "bearer": return .token(String(rest))
        case "basic":
            guard let data = Data(base64Encoded: String(rest)), let text = String(data: data, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            return .password(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
        default: return nil
        }
    }

    private static let common: Set<String> = ["format", "after", "max_rows", "timeout"]

    private static func query(of request: Request, names: Set<String>) throws(QueryProblem) -> [String: String] {
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters {
            let name = String(name)
            guard common.contains(name) || names.contains(name) else {
                let known = common.union(names).sorted().joined(separator: ", ")
                throw QueryProblem(.badRequest, "There is no parameter \"\(name.prefix(60))\"; there are \(known).")
            }
            guard query.updateValue(String(value), forKey: name) == nil else {
                throw QueryProblem(.badRequest, "\(name) is given twice.")
            }
        }
        return query
    }

    private static func format(_ name: String?, _ accept: String?) throws(QueryProblem) -> QueryFormat {
        if let name {
            guard let format = QueryFormat(rawValue: name) else {
                throw QueryProblem(.badRequest, "format is json, ndjson or csv, not \"\(name.prefix(60))\".")
            }
            return format
        }
        guard let format = QueryFormat(accept: accept) else {
            throw QueryProblem(.notAcceptable, "There are application/json, application/x-ndjson and text/csv.")
        }
        return format
    }

    private static func limits(_ query: [String: String], _ most: QueryLimits) throws(QueryProblem) -> QueryLimits {
        var limits = most
        if let text = query["max_rows"] {
            guard let rows = Int(text), rows >= 0, text.allSatisfy(\.isNumber) else {
                throw QueryProblem(.badRequest, "max_rows is a number, not \"\(text.prefix(60))\".")
            }
            limits.rows = min(rows, most.rows)
        }
        if let text = query["timeout"] {
            guard let time = time(text) else {
                throw QueryProblem(.badRequest, "timeout is as in 500ms, 5s or 1m, not \"\(text.prefix(60))\".")
            }
            limits.time = min(time, most.time)
        }
        return limits
    }

    private static func time(_ text: String) -> Duration? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        guard let count = Int(digits), count > 0, count < 1_000_000_000 else { return nil }
        return switch text[digits.endIndex...] {
        case "ms": .milliseconds(count)
        case "s": .seconds(count)
        case "m": .seconds(count * 60)
        default: nil
        }
    }

    // MARK: Writing an answer

    private static func refusal(_ problem: QueryProblem) -> Response {
        let status = HTTPResponse.Status(code: problem.status)
        var headers: HTTPFields = [.contentType: "application/problem+json", .cacheControl: "no-store"]
        if status == .unauthorized { headers[.wwwAuthenticate] = #"Basic realm="forebay", Bearer realm="forebay""# }
        if status == .serviceUnavailable { headers[.retryAfter] = "1" }
        return Response(
            status: status,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: problem.encoded + "\n"))
        )
    }

    private static let rowsField = HTTPField.Name("forebay-rows")!
    private static let truncatedField = HTTPField.Name("forebay-truncated")!

    private static func response(_ result: QueryResult, _ format: QueryFormat) -> Response {
        let headers: HTTPFields = [
            .contentType: format.contentType, .cacheControl: "no-store",
            .trailer: "\(rowsField), \(truncatedField)", .xContentTypeOptions: "nosniff",
        ]
        let body = ResponseBody { body in
            defer { result.close() }
            var writer = QueryWriter(format, result.columns)
            var buffer = ByteBuffer()
            writer.head(into: &buffer)
            while true {
                let batch: QueryResult.Batch
                do throws(QueryFault) {
                    batch = try await result.next()
                } catch {
                    writer.fault(error, into: &buffer)
                    try await body.write(buffer)
                    // The connection is closed without the end of the body.
                    throw error
                }
                for row in batch.rows { writer.row(row, into: &buffer) }
                if let isCut = batch.isCut {
                    writer.tail(isCut: isCut, into: &buffer)
                    if buffer.readableBytes > 0 { try await body.write(buffer) }
                    return try await body.finish([rowsField: "\(writer.rows)", truncatedField: "\(isCut)"])
                }
                // Waits as long as the client does not take what it has.
                try await body.write(buffer)
                buffer.clear()
            }
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}
