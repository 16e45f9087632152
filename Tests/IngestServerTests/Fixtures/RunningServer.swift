import NIOCore
import NIOPosix

@testable import IngestServer

/// A server on free ports of loopback with a scripted backend, for the time of one test.
struct RunningServer {
    let server: IngestServer
    let backend: ScriptedBackend

    var httpPort: Int { server.addresses.http[0].port }
    var tcpPort: Int { server.addresses.tcp[0].port }

    func http() throws -> LoopbackClient { try LoopbackClient(port: httpPort) }
    func tcp() throws -> LoopbackClient { try LoopbackClient(port: tcpPort) }

    /// Runs `body` against a server, and ends the server however that went.
    static func run(
        _ configuration: IngestConfiguration = .loopback,
        backend: ScriptedBackend? = nil,
        _ body: (RunningServer) async throws -> Void
    ) async throws {
        let backend = try backend ?? ScriptedBackend()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await IngestServer.start(
            configuration: configuration,
            backend: backend,
            eventLoopGroup: group
        )
        do {
            try await body(RunningServer(server: server, backend: backend))
        } catch {
            backend.releaseAll()
            await server.shutdown(grace: .zero)
            try await group.shutdownGracefully()
            throw error
        }
        backend.releaseAll()
        await server.shutdown(grace: .zero)
        try await group.shutdownGracefully()
    }

    /// A POST to the stream `events` with a Content-Length.
    static func post(_ body: String, query: String = "", fields: String = "") -> String {
        "POST /v1/ingest/events\(query) HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}

extension IngestConfiguration {
    /// Free ports of loopback, and a default stream for TCP.
    static let loopback = {
        var configuration = IngestConfiguration()
        configuration.http = [.init(host: "127.0.0.1", port: 0)]
        configuration.tcp = [.init(host: "127.0.0.1", port: 0)]
        configuration.tcpStream = "events"
        return configuration
    }()

    func with<Value>(_ path: WritableKeyPath<IngestConfiguration, Value>, _ value: Value) -> IngestConfiguration {
        var changed = self
        changed[keyPath: path] = value
        return changed
    }
}
