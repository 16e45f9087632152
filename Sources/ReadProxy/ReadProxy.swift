import Instruments
package import Logging
package import NIOCore
import NIOPosix
import NIOSSL
package import PostgresWire
import Synchronization

/// The read port: clients speak PostgreSQL's protocol to it, and are read to from whichever node the routing has for them.
///
/// Made by ``start(configuration:users:eventLoopGroup:instruments:logger:watch:)``, ended by ``shutdown(grace:)``. Serves nobody until
/// ``route(_:)`` has told it of a node.
package final class ReadProxy: Sendable {
    /// Where the listeners are bound, ports that the system chose included; in the order of the configuration.
    package let addresses: [ReadProxyConfiguration.Endpoint]
    package let instruments: ReadInstruments
    private let listeners: [any Channel]
    private let loops: [ReadLoop]
    private let nextLoop = Atomic(0)

    private init(
        addresses: [ReadProxyConfiguration.Endpoint],
        instruments: ReadInstruments,
        listeners: [any Channel],
        loops: [ReadLoop]
    ) {
        self.addresses = addresses
        self.instruments = instruments
        self.listeners = listeners
        self.loops = loops
    }

    /// Binds every listener, or none: throws the error of the first that can't be bound, or of a certificate that can't be read.
    ///
    package static func start(
        configuration: ReadProxyConfiguration,
        users: ReadUsers,
        eventLoopGroup: any EventLoopGroup,
        instruments: ReadInstruments,
        logger: Logger,
        watch: ReadWatch
    ) async throws -> ReadProxy {
        let registry = ClientRegistry(
            limit: configuration.maxConnections,
            limitPerUser: configuration.maxConnectionsPerUser
        )
        let upstreamTLS = configuration.upstream.tls.asks ? try upstreamContext(configuration.upstream) : nil
        let clientTLS = try configuration.tls.map(clientContext)
        var random = SystemRandomNumberGenerator()
        let mockSecret = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        let eventLoops = Array(eventLoopGroup.makeIterator())
        let loops = eventLoops.map { eventLoop in
            ReadLoop(
                eventLoop: eventLoop,
                loops: eventLoops.count,
                configuration: configuration,
                users: users,
                instruments: instruments,
                registry: registry,
                log: logger,
                upstreamTLS: upstreamTLS,
                clientTLS: clientTLS,
                mockSecret: mockSecret,
                watch: watch,
                dialer: SocketDialer(timeout: configuration.upstream.connectTimeout)
            )
        }
        for loop in loops {
            try await loop.eventLoop.submit { loop.start() }.get()
        }
        let byLoop = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        var listeners: [any Channel] = []
        var addresses: [ReadProxyConfiguration.Endpoint] = []
        do {
            for endpoint in configuration.listen {
                let listener = try await bind(endpoint, eventLoopGroup, byLoop)
                listeners.append(listener)
                addresses.append(.init(host: endpoint.host, port: listener.localAddress?.port ?? endpoint.port))
            }
        } catch {
            let partial = ReadProxy(addresses: [], instruments: instruments, listeners: listeners, loops: loops)
            await partial.shutdown(grace: .zero)
            throw error
        }
        return ReadProxy(addresses: addresses, instruments: instruments, listeners: listeners, loops: loops)
    }

    private static func bind(
        _ endpoint: ReadProxyConfiguration.Endpoint,
        _ group: any EventLoopGroup,
        _ loops: [ObjectIdentifier: ReadLoop]
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // One read, then the answers: a flush per burst, and no connection that keeps a loop to itself.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 65536)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 65536, high: 262_144))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                        preconditionFailure(
                            "a channel was accepted on a loop outside the group that the listeners were given"
                        )
                    }
                    guard loop.registry.enter() else {
                        loop.instruments.clientsRefused.add()
                        return try channel.pipeline.syncOperations.addHandler(RefusedClient())
                    }
                    try channel.pipeline.syncOperations.addHandler(ClientConnection(loop: loop))
                }
            }
            .bind(host: endpoint.host, port: endpoint.port)
            .get()
    }

    /// What the nodes count as from now on. From any thread.
    package func route(_ table: RouteTable) {
        for loop in loops { loop.update(table) }
    }

    /// Begins a statement of somebody without a connection. It ends with the time of the order, or by `close()`.
    ///
    /// - Throws: when there are too many clients.
    package func query(_ order: ReadOrder) async throws(Report) -> ReadQuery {
        let turn = nextLoop.wrappingAdd(1, ordering: .relaxed).oldValue
        return try await loops[turn % loops.count].begin(order)
    }

    /// Who may log in from now on, and how the nodes are logged in to. Who is in stays in. From any thread.
    package func admit(_ users: ReadUsers, password: String?) {
        for loop in loops { loop.admit(users, password: password) }
    }

    /// Stops accepting, tells clients without a transaction to go, and the others after `grace`. Returns when every client is gone. May be called again;
    /// the later calls wait for the same end.
    package func shutdown(grace: Duration) async {
        for listener in listeners {
            // A listener that is closed already is what is wanted.
            try? await listener.close().get()
        }
        let drained = loops.map { loop in
            loop.eventLoop.flatSubmit { loop.drain(grace: TimeAmount(grace)) }
        }
        for future in drained {
            // Fails only if the loops are gone, and the clients with them.
            try? await future.get()
        }
    }

    /// A server's side of TLS 1.2 and later.
    private static func clientContext(_ files: ReadProxyConfiguration.TLS) throws -> NIOSSLContext {
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificateChain).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.privateKey, format: .pem))
        )
        settings.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: settings)
    }

    /// A client's side, which looks at certificates as libpq's `sslmode` of the same name does.
    private static func upstreamContext(_ upstream: ReadProxyConfiguration.Upstream) throws -> NIOSSLContext {
        var settings = TLSConfiguration.makeClientConfiguration()
        settings.minimumTLSVersion = .tlsv12
        if let file = upstream.authorities, file != "system" { settings.trustRoots = .file(file) }
        settings.certificateVerification =
            switch upstream.tls {
            case .disable, .allow, .prefer, .require: .none
            case .verifyCA: .noHostnameVerification
            case .verifyFull: .fullVerification
            }
        return try NIOSSLContext(configuration: settings)
    }
}

/// A client beyond the limit of connections: is told so and closed.
private final class RefusedClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // In answer to its first packet, whatever that is: without one, the answer could be lost to a reset.
        let report = Report(.fatal, "53300", "sorry, too many clients already")
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: BackendMessage.error(report).bytes)), promise: nil)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
