import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle

/// The port for operators: the page, metrics, health and status.
///
/// Has no authentication of its own, but for queries (<doc:Queries>). What changes something is answered only to this machine (see
/// ``OpsRoutes``), and the configuration binds it to loopback unless told otherwise.
package struct OpsServer: Service {
    private let host: String
    private let port: Int
    private let backend: any OpsBackend
    private let queries: (any QueryBackend)?
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 takes any free one.
    ///   - queries: nil where there is no read port.
    ///   - onListening: called once with the port that was bound, when requests are taken.
    package init(
        host: String = "127.0.0.1",
        port: Int = 8480,
        backend: any OpsBackend,
        queries: (any QueryBackend)? = nil,
        logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.host = host
        self.port = port
        self.backend = backend
        self.queries = queries
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until the service group shuts down gracefully; requests that were begun are answered.
    ///
    /// - Throws: when the address can't be bound.
    package func run() async throws {
        let router = Router(context: OpsContext.self, options: .autoGenerateHeadEndpoints)
        OpsRoutes(backend: backend, logger: logger).add(to: router)
        QueryRoutes(backend: queries).add(to: router)
        let logger = logger
        let onListening = onListening
        let application = Application(
            router: router,
            server: .http1(configuration: .init(idleTimeout: .seconds(60))),
            configuration: .init(address: .hostname(host, port: port)),
            onServerRunning: { channel in
                let bound = channel.localAddress?.port ?? 0
                logger.info("The ops port is open.", metadata: ["port": "\(bound)"])
                await onListening(bound)
            },
            logger: Self.quiet(logger)
        )
        try await application.run()
    }

    /// Hummingbird tells of each connection at `info`; that is not for an operator's log.
    private static func quiet(_ logger: Logger) -> Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}

/// Knows who asks.
struct OpsContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// From this machine; false if that can't be told.
    let isLocal: Bool

    /// A body says which dead letters are meant: some thousand receipts at most.
    var maxUploadSize: Int { 1 << 20 }

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        switch source.channel.remoteAddress {
        case .v4, .v6:
            let address = source.channel.remoteAddress?.ipAddress ?? ""
            isLocal = address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
        case .unixDomainSocket: isLocal = true
        case nil: isLocal = false
        }
    }
}
