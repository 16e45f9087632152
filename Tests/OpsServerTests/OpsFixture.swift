import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

@testable import OpsServer

/// A server on a free port of loopback, asked over real connections, and stopped at the end.
struct OpsFixture {
    struct Answer {
        var status: Int
        var type: String
        var headers: HTTPHeaders
        var body: String
    }

    let port: Int

    static func run(
        _ backend: ScriptedBackend,
        queries: (any QueryBackend)? = nil,
        _ body: @Sendable (OpsFixture) async throws -> Void
    ) async throws {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = OpsServer(port: 0, backend: backend, queries: queries, logger: logger) { port in
            continuation.yield(port)
            continuation.finish()
        }
        let group = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { continuation.finish() }
                try await group.run()
            }
            if let port = await ports.first(where: { _ in true }) {
                try await body(OpsFixture(port: port))
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    func get(_ path: String) async throws -> Answer {
        try await send(HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)"))
    }

    func head(_ path: String, headers: HTTPHeaders = [:]) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .HEAD
        request.headers = headers
        return try await send(request)
    }

    func post(_ path: String, _ body: String, headers: HTTPHeaders = ["content-type": "application/json"]) async throws
        -> Answer
    {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = .POST
        request.headers = headers
        request.body = .bytes(ByteBuffer(string: body))
        return try await send(request)
    }

    private func send(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 4 << 20)
        return Answer(
            status: Int(response.status.code),
            type: response.headers.first(name: "content-type") ?? "",
            headers: response.headers,
            body: String(buffer: body)
        )
    }
}
