import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL

/// Ingest over HTTP, with AsyncHTTPClient's pool of connections. Close it with ``close()``.
package struct IngestClient: BatchTransport {
    package struct Settings: Sendable {
        /// Of the server, such as `http://127.0.0.1:4318`.
        package var url: String
        package var stream: String
        /// Sent as a bearer token.
        package var token: String?
        /// Takes any certificate.
        package var insecure: Bool
        /// For one attempt.
        package var timeout: Duration
        /// `on_error=skip`: bad events are refused one by one instead of with their whole request.
        package var skipsBadEvents: Bool

        package init(
            url: String,
            stream: String,
            token: String? = nil,
            insecure: Bool = false,
            timeout: Duration = .seconds(30),
            skipsBadEvents: Bool = true
        ) {
            self.url = url
            self.stream = stream
            self.token = token
            self.insecure = insecure
            self.timeout = timeout
            self.skipsBadEvents = skipsBadEvents
        }

        /// The address of the stream's ingest.
        package var target: String {
            let base = url.hasSuffix("/") ? String(url.dropLast()) : url
            return "\(base)/v1/ingest/\(stream)" + (skipsBadEvents ? "?on_error=skip" : "")
        }
    }

    private let settings: Settings
    private let client: HTTPClient

    /// - Parameter connections: how many requests may be under way at once.
    package init(settings: Settings, connections: Int) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        // Only HTTP/1.1 is spoken by the ingest port, and the retries are ours, with the key.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.timeout.connect = .seconds(5)
        if settings.insecure {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.certificateVerification = .none
            configuration.tlsConfiguration = tls
        }
        self.settings = settings
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    package func post(_ body: [UInt8], key: String?) async -> IngestReply {
        var request = HTTPClientRequest(url: settings.target)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/x-ndjson")
        if let key {
            request.headers.add(name: "idempotency-key", value: key)
        }
        if let token = settings.token {
            request.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let response = try await client.execute(request, timeout: TimeAmount(settings.timeout))
            let collected = try await response.body.collect(upTo: 16 << 20)
            let seconds = response.headers.first(name: "retry-after").flatMap { Int($0) }
            return .answer(
                HTTPAnswer(
                    status: Int(response.status.code),
                    retryAfter: seconds.map { .seconds(max(0, min(3600, $0))) },
                    body: Array(collected.readableBytesView)
                )
            )
        } catch {
            return .lost(reason: Self.describe(error))
        }
    }

    package func close() async {
        // Closing fails only if it was closed before, which leaves nothing to do.
        try? await client.shutdown()
    }

    private static func describe(_ error: any Error) -> String {
        if let error = error as? HTTPClientError {
            return error.shortDescription
        }
        return "\(error)"
    }
}
