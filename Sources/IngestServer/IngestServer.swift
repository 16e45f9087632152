package import Logging
package import NIOCore
import NIOPosix
import NIOSSL

/// The HTTP and TCP listeners of ingest.
///
/// Made by ``start(configuration:backend:eventLoopGroup:instruments:logger:)``, ended by ``shutdown(grace:)``. The
/// queue behind the backend must outlive the shutdown, and the event loop group must outlive both, since the queue may
/// tell of appends until it is closed.
package final class IngestServer: Sendable {
    /// Where the listeners are bound, ports that the system chose included; in the order of the configuration.
    package struct Addresses: Hashable, Sendable {
        package var http: [IngestConfiguration.Endpoint] = []
        package var tcp: [IngestConfiguration.Endpoint] = []
    }

    package let addresses: Addresses
    package let instruments: IngestInstruments
    private let listeners: [any Channel]
    private let loops: [IngestLoop]

    private init(addresses: Addresses, instruments: IngestInstruments, listeners: [any Channel], loops: [IngestLoop]) {
        self.addresses = addresses
        self.instruments = instruments
        self.listeners = listeners
        self.loops = loops
    }

    /// Binds every listener, or none: throws the error of the first that can't be bound, or of a certificate that can't
    /// be read.
    package static func start(
        configuration: IngestConfiguration,
        backend: any IngestBackend,
        eventLoopGroup: any EventLoopGroup,
        instruments: IngestInstruments = IngestInstruments(),
        logger: Logger = Logger(label: "ingest")
    ) async throws -> IngestServer {
        let budget = MemoryBudget(capacity: configuration.inFlightBytes, gauge: instruments.inFlightBytes)
        let eventLoops = Array(eventLoopGroup.makeIterator())
        let loops = eventLoops.enumerated().map { number, eventLoop in
            IngestLoop(
                eventLoop: eventLoop,
                number: number,
                of: eventLoops.count,
                backend: backend,
                configuration: configuration,
                instruments: instruments,
                budget: budget,
                logger: logger
            )
        }
        for loop in loops {
            try await loop.eventLoop.submit { loop.start() }.get()
        }
        let binder = ListenerBinder(
            configuration: configuration,
            group: eventLoopGroup,
            loops: Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) }),
            count: ConnectionCount(limit: configuration.maxConnections)
        )
        var listeners: [any Channel] = []
        var addresses = Addresses()
        do {
            for endpoint in configuration.http {
                let listener = try await binder.bind(endpoint, .http)
                listeners.append(listener)
                addresses.http.append(endpoint.bound(to: listener))
            }
            for endpoint in configuration.tcp {
                let listener = try await binder.bind(endpoint, .tcp)
                listeners.append(listener)
                addresses.tcp.append(endpoint.bound(to: listener))
            }
        } catch {
            let partial = IngestServer(
                addresses: addresses,
                instruments: instruments,
                listeners: listeners,
                loops: loops
            )
            await partial.shutdown(grace: .zero)
            throw error
        }
        return IngestServer(addresses: addresses, instruments: instruments, listeners: listeners, loops: loops)
    }

    /// Stops accepting, answers the requests that were begun, closes the connections, those that are left after `grace`
    /// by force. Returns when every connection is closed. May be called again; the later calls wait for the same end.
    package func shutdown(grace: Duration) async {
        for listener in listeners {
            // A listener that is closed already is what is wanted.
            try? await listener.close().get()
        }
        let drained = loops.map { loop in
            loop.eventLoop.flatSubmit { loop.drain(grace: TimeAmount(grace)) }
        }
        for future in drained {
            // Fails only if the loops are gone, and the connections with them.
            try? await future.get()
        }
    }
}

extension IngestConfiguration.Endpoint {
    fileprivate func bound(to listener: any Channel) -> IngestConfiguration.Endpoint {
        IngestConfiguration.Endpoint(host: host, port: listener.localAddress?.port ?? port)
    }
}
