package import Logging
package import NIOCore

/// One event loop's share of ingest without listeners: its connections live on channels that somebody else has made.
///
/// For whoever drives the protocols without sockets: fuzzers, and tests with embedded channels. Everything is called on the loop.
package final class DetachedIngest {
    package enum Kind: Sendable {
        case http
        case tcp
    }

    private let loop: IngestLoop
    private var connections: UInt64 = 0

    package init(
        eventLoop: any EventLoop,
        backend: any IngestBackend,
        configuration: IngestConfiguration,
        instruments: IngestInstruments,
        logger: Logger
    ) {
        loop = IngestLoop(
            eventLoop: eventLoop,
            number: 0,
            of: 1,
            backend: backend,
            configuration: configuration,
            instruments: instruments,
            budget: MemoryBudget(capacity: configuration.inFlightBytes, gauge: instruments.inFlightBytes),
            logger: logger
        )
        loop.start()
    }

    /// Makes the channel a connection, as if a listener had accepted it.
    package func attach(_ channel: any Channel, as kind: Kind) throws {
        connections += 1
        switch kind {
        case .http:
            try channel.pipeline.syncOperations.addHandler(HTTPConnection(loop: loop, number: connections))
        case .tcp:
            try channel.pipeline.syncOperations.addHandler(TCPConnection(loop: loop, number: connections))
        }
    }

    /// Ends every connection, as a shutdown does; the future succeeds when none is left.
    package func drain(grace: TimeAmount) -> EventLoopFuture<Void> {
        loop.drain(grace: grace)
    }
}
