import Instruments
import NIOCore
import NIOPosix
import NIOSSL
import Records

/// Binds listeners and sets up the channels that they accept.
struct ListenerBinder: Sendable {
    enum Kind: Sendable {
        case http
        case tcp
    }

    let configuration: IngestConfiguration
    let group: any EventLoopGroup
    let loops: [ObjectIdentifier: IngestLoop]
    let count: ConnectionCount

    func bind(_ endpoint: IngestConfiguration.Endpoint, _ kind: Kind) async throws -> any Channel {
        let tls = try (kind == .http ? configuration.httpTLS : configuration.tcpTLS).map(Self.context)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(configuration.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // One read, then the answers: a flush per burst, and no connection that keeps a loop to itself.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 65536)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 16384, high: 65536))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try setUp(channel, kind, tls) }
            }
            .bind(host: endpoint.host, port: endpoint.port)
            .get()
    }

    private func setUp(_ channel: any Channel, _ kind: Kind, _ tls: NIOSSLContext?) throws {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
            preconditionFailure("a channel was accepted on a loop outside the group that the listeners were given")
        }
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        guard let number = count.enter() else {
            loop.instruments.connectionsRefused.add()
            try pipeline.addHandler(
                RefusedConnection(answer: Self.refusal(kind, loop), patience: .milliseconds(250))
            )
            return
        }
        loop.instruments.connectionsAccepted.add()
        channel.closeFuture.whenComplete { [count] _ in count.leave() }
        switch kind {
        case .http: try pipeline.addHandler(HTTPConnection(loop: loop, number: number, isPlain: tls == nil))
        case .tcp: try pipeline.addHandler(TCPConnection(loop: loop, number: number, isPlain: tls == nil))
        }
    }

    private static func refusal(_ kind: Kind, _ loop: IngestLoop) -> ByteBuffer {
        let problem = Problem.unavailable(
            "too-many-connections",
            detail: "The proxy has as many connections as it takes.",
            retryAfter: 1
        )
        var buffer = ByteBuffer()
        switch kind {
        case .http:
            _ = loop.answers.write(.problem(problem), AnswerContext(closes: true), to: &buffer)
        case .tcp:
            var last = LineBatch(rows: RowBatch(layouts: NoLayouts.shared, capacity: 64), received: loop.eventLoop.now)
            last.add(.farewell(reason: problem.detail, retry: true))
            TCPAnswer.write(last, nil, to: &buffer)
        }
        return buffer
    }

    /// A server's side of TLS 1.2 and later.
    private static func context(_ files: IngestConfiguration.TLS) throws -> NIOSSLContext {
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificateChain).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: files.privateKey, format: .pem))
        )
        settings.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: settings)
    }
}
