import Foundation
import HTTPTypes
import Hummingbird
import Instruments
import Logging
import NIOCore

/// Which path answers what.
struct OpsRoutes: Sendable {
    let backend: any OpsBackend
    let logger: Logger

    func add(to router: Router<OpsContext>) {
        router.get("/") { _, _ in
            Self.answer(.ok, "text/html; charset=utf-8", Dashboard.page, headers: Dashboard.headers)
        }
        router.get("/metrics") { _, _ in
            Self.answer(.ok, MetricsText.contentType, await backend.status().metrics)
        }
        router.get("/healthz") { _, _ in
            Self.health([("ingest", await backend.ingestCheck())])
        }
        router.get("/readyz") { _, _ in
            Self.health([
                ("ingest", await backend.ingestCheck()),
                ("streams", await backend.streamsCheck()),
                ("primary", await backend.primaryCheck()),
            ])
        }
        router.get("/v1/status") { _, _ in
            try Self.answer(.ok, "application/json", StatusCoding.encode(await backend.status()))
        }
        router.post("/v1/dlq/retry") { request, context in
            await deadLetters(request, context) { choice throws(OpsFault) in
                let report = try await backend.retryDeadLetters(choice)
                logger.notice("Dead letters were retried.", metadata: ["letters": "\(report.letters)"])
                return report
            }
        }
        router.post("/v1/dlq/discard") { request, context in
            await deadLetters(request, context) { choice throws(OpsFault) in
                let report = try await backend.discardDeadLetters(choice)
                logger.notice("Dead letters were discarded.", metadata: ["letters": "\(report.letters)"])
                return report
            }
        }
        router.post("/v1/lanes/resume") { request, context in
            await order(request, context, #"{"order":"replay"}"#) { (resumption: LaneResumption) throws(OpsFault) in
                let report = try await backend.resumeLanes(resumption)
                logger.notice(
                    "Lanes were resumed.",
                    metadata: ["lanes": "\(report.lanes)", "order": "\(resumption.order.rawValue)"]
                )
                return report
            }
        }
    }

    /// 200 and `ok`, or 503 and a line for each check that failed. Load balancers read the status, people the text.
    private static func health(_ checks: [(name: String, check: OpsCheck)]) -> Response {
        let failed = checks.filter { !$0.check.ok }
        guard !failed.isEmpty else { return answer(.ok, "text/plain; charset=utf-8", "ok\n") }
        let lines = failed.map { "\($0.name): \($0.check.reason ?? "not ready")\n" }
        return answer(.serviceUnavailable, "text/plain; charset=utf-8", lines.joined())
    }

    /// Takes a choice of dead letters and acts on it.
    private func deadLetters(
        _ request: Request,
        _ context: OpsContext,
        _ act: (DeadLetterChoice) async throws(OpsFault) -> DeadLetterReport
    ) async -> Response {
        await order(request, context, #"{"stream":"apirequests"}"#) { (choice: DeadLetterChoice) throws(OpsFault) in
            guard choice.choosesSomething else {
                throw OpsFault(.request, #"Say which letters: "positions", "stream" or "all":true."#)
            }
            return try await act(choice)
        }
    }

    /// Takes an order that changes something, and carries it out.
    ///
    /// Only for this machine. A page in a browser on this machine must not get here either, so what carries an `Origin`, or is
    /// not JSON (which a page can't send elsewhere without asking first), is refused.
    private func order<Order: Decodable, Report: Encodable>(
        _ request: Request,
        _ context: OpsContext,
        _ example: String,
        _ act: (Order) async throws(OpsFault) -> Report
    ) async -> Response {
        guard context.isLocal, request.headers[.origin] == nil else {
            return Self.problem(.forbidden, "Orders are taken from the proxy's own machine only.")
        }
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/json") == true else {
            return Self.problem(.unsupportedMediaType, "Send application/json.")
        }
        let order: Order
        do {
            let body = try await request.body.collect(upTo: context.maxUploadSize)
            order = try StatusCoding.decode(Order.self, from: Data(body.readableBytesView))
        } catch let error as NIOTooManyBytesError {
            return Self.problem(
                .contentTooLarge,
                "The body is larger than \(error.maxBytes ?? context.maxUploadSize) bytes."
            )
        } catch {
            return Self.problem(.badRequest, "The body is not an object such as \(example).")
        }
        do {
            return try Self.answer(.ok, "application/json", StatusCoding.encode(try await act(order)))
        } catch let fault as OpsFault {
            let status: HTTPResponse.Status =
                switch fault.kind {
                case .request: .badRequest
                case .missing: .notFound
                case .unavailable: .serviceUnavailable
                }
            return Self.problem(status, fault.message)
        } catch {
            return Self.problem(.internalServerError, "\(error)")
        }
    }

    /// RFC 9457.
    private static func problem(_ status: HTTPResponse.Status, _ detail: String) -> Response {
        struct Problem: Encodable {
            var title: String
            var status: Int
            var detail: String
        }
        let body = try? StatusCoding.encode(Problem(title: status.reasonPhrase, status: status.code, detail: detail))
        return answer(status, "application/problem+json", body ?? "")
    }

    private static func answer(
        _ status: HTTPResponse.Status,
        _ type: String,
        _ body: String,
        headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }
}
