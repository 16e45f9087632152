import NIOCore
import NIOPosix
import Topology

/// Opens connections to nodes for one event loop.
protocol NodeDialer: Sendable {
    /// A connected channel on the loop. `handler` is its last, and sees it become active; a cancel request needs none.
    func dial(_ node: NodeAddress, on eventLoop: any EventLoop, _ handler: BackendConnection?) -> EventLoopFuture<
        any Channel
    >
}

/// Over TCP, or a Unix socket where the host is a folder.
struct SocketDialer: NodeDialer {
    let timeout: Duration

    func dial(_ node: NodeAddress, on eventLoop: any EventLoop, _ handler: BackendConnection?) -> EventLoopFuture<
        any Channel
    > {
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 65536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let handler = bound.value { try channel.pipeline.syncOperations.addHandler(handler) }
                }
            }
        return node.host.hasPrefix("/")
            ? bootstrap.connect(unixDomainSocketPath: "\(node.host)/.s.PGSQL.\(node.port)")
            : bootstrap.connect(host: node.host, port: node.port)
    }
}
