package import Logging
package import NIOCore
import PostgresWire
import Topology

/// One event loop's share of the read port without listeners and sockets: clients and nodes are on channels that somebody else has made.
///
/// For whoever drives the sessions without a network: fuzzers, and tests with embedded channels. Everything is called on the loop.
package final class DetachedReads {
    /// Makes a connected channel on the loop that the node stands behind; fails as connecting fails. What it is given has to be done to
    /// the channel before it becomes active.
    package typealias Dial = (_ node: Int, _ prepare: (any Channel) throws -> Void) -> EventLoopFuture<any Channel>

    private let loop: ReadLoop

    package init(
        eventLoop: any EventLoop,
        configuration: ReadProxyConfiguration,
        users: ReadUsers,
        instruments: ReadInstruments,
        logger: Logger,
        dial: @escaping Dial
    ) {
        loop = ReadLoop(
            eventLoop: eventLoop,
            loops: 1,
            configuration: configuration,
            users: users,
            instruments: instruments,
            registry: ClientRegistry(
                limit: configuration.maxConnections,
                limitPerUser: configuration.maxConnectionsPerUser
            ),
            log: logger,
            upstreamTLS: nil,
            clientTLS: nil,
            mockSecret: [],
            watch: ReadWatch(look: {}, want: { _ in }),
            dialer: DetachedDialer(nodes: configuration.upstream.nodes, dial: NIOLoopBound(dial, eventLoop: eventLoop))
        )
        loop.start()
    }

    /// Makes the channel a client, as if a listener had accepted it.
    package func attach(_ channel: any Channel) throws {
        _ = loop.registry.enter()
        try channel.pipeline.syncOperations.addHandler(ClientConnection(loop: loop))
    }

    package func route(_ table: RouteTable) {
        loop.update(table)
    }

    /// Ends every session, as a shutdown does; the future succeeds when none is left.
    package func drain(grace: TimeAmount) -> EventLoopFuture<Void> {
        loop.drain(grace: grace)
    }

    /// What the port keeps of messages that it can't pass on yet, may have to send again, or has no answer to; the largest of all clients.
    package var mostBytesHeld: Int { loop.mostBytesHeld }
}

private struct DetachedDialer: NodeDialer {
    let nodes: [NodeAddress]
    let dial: NIOLoopBound<DetachedReads.Dial>

    func dial(_ node: NodeAddress, on eventLoop: any EventLoop, _ handler: BackendConnection?) -> EventLoopFuture<
        any Channel
    > {
        guard let index = nodes.firstIndex(of: node) else { preconditionFailure("\(node) is not configured") }
        return dial.value(index) { channel in
            if let handler { try channel.pipeline.syncOperations.addHandler(handler) }
        }
    }
}
