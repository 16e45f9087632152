import Delivery
import DurableQueue
import IngestFormats
import IngestServer
import LibPQClient
import Logging
package import SegmentedLog
import Topology

/// The configuration in the terms of the parts.
extension ForebayConfiguration {
    /// - Throws: a `ConfigurationFault` for an encryption key that can't be read, a `KeyRing.Fault` for one that does not fit.
    func queueConfiguration(environment: [String: String]) throws -> QueueConfiguration {
        let sync: SyncPolicy =
            switch queue.sync {
            case .always: .always
            case .interval: .interval(queue.syncInterval)
            case .never: .never
            }
        return QueueConfiguration(
            path: queue.path,
            lanes: queue.lanes,
            maxBytes: queue.maxBytes.bytes,
            // Left at its default, the reserve adapts to a disk that is smaller than the budget; segments do so by themselves.
            reserve: queue.reserve == Queue.defaultReserve(of: queue.maxBytes) ? nil : queue.reserve.bytes,
            segmentBytes: queue.segmentBytes.bytes,
            sync: sync,
            maxPendingBytes: queue.maxPending.bytes,
            retention: QueueConfiguration.Retention(
                minAge: retention.minAge,
                minBytes: retention.minBytes.bytes
            ),
            idempotency: QueueConfiguration.Idempotency(
                window: idempotency.window,
                maxEntries: idempotency.maxKeys
            ),
            keyRing: try keyRing(environment: environment)
        )
    }

    /// - Throws: a `ConfigurationFault` for a key that can't be read, a `KeyRing.Fault` for one that does not fit.
    package func keyRing(environment: [String: String]) throws -> KeyRing {
        guard let encryption = queue.encryption else { return KeyRing() }
        var keys: [String: [UInt8]] = [:]
        for (id, source) in encryption.keys {
            keys[id] = try source.resolve(environment: environment)
        }
        return try KeyRing(keys: keys, active: encryption.active)
    }

    var nodeAddresses: [NodeAddress] {
        postgres.nodes.map { NodeAddress(host: $0.host, port: $0.port) }
    }

    /// Each connection reads the password file when it is made.
    var writerConnection: ConnectionSettings {
        let writer = postgres.writer
        return ConnectionSettings(
            database: postgres.database,
            user: writer.user,
            password: .asked { () throws(ConnectionFault) in
                do throws(ConfigurationFault) {
                    return try writer.resolvePassword()?.reveal()
                } catch {
                    throw .noPassword("the password: found \(error.found), expected \(error.expected)")
                }
            },
            applicationName: "forebay",
            sslMode: postgres.sslmode.rawValue,
            sslRootCertificate: postgres.sslrootcert
        )
    }

    var flushDeadlines: FlushDeadlines {
        FlushDeadlines(
            connect: postgres.connectTimeout,
            claim: postgres.statementDeadline,
            send: postgres.statementDeadline,
            commit: postgres.statementDeadline
        )
    }

    var deliverySettings: DeliverySettings {
        var settings = DeliverySettings()
        settings.maximumRows = delivery.maxRows
        settings.initialRows = min(settings.initialRows, delivery.maxRows)
        settings.maximumBytes = delivery.maxBytes.bytes
        settings.maximumDelay = delivery.maxDelay
        settings.targetDuration = delivery.targetTime
        settings.firstPause = delivery.retryMin
        settings.longestPause = delivery.retryMax
        settings.parkedFor = delivery.parkedFor
        settings.onRestore =
            switch retention.onRestore {
            case .hold: .hold
            case .replay: .replay
            }
        return settings
    }

    /// How many replicas must show a position before it may be trimmed.
    var requiredReplicas: Int {
        switch retention.requiredReplicas {
        case .all: postgres.nodes.count - 1
        case .primaryOnly: 0
        case .atLeast(let count): count
        }
    }

    /// nil where nobody needs a token.
    func tokens(log: Logger) throws(TokenFile.Fault) -> LiveTokens? {
        switch ingest.auth {
        case .noneOnLoopback, .noneOnAnyAddress: nil
        case .tokens: try LiveTokens(path: ingest.tokensFile, logger: log)
        }
    }

    /// nil where no token may ask over HTTP.
    func readTokens(log: Logger) throws(TokenFile.Fault) -> LiveTokens? {
        guard let path = read.tokensFile, !read.listen.isEmpty else { return nil }
        return try LiveTokens(path: path, logger: log)
    }

    var ingestConfiguration: IngestConfiguration {
        var configuration = IngestConfiguration()
        configuration.http = ingest.http.map { IngestConfiguration.Endpoint(host: $0.host, port: $0.port) }
        configuration.tcp = ingest.tcp.map { IngestConfiguration.Endpoint(host: $0.host, port: $0.port) }
        let tls = ingest.tls.map { IngestConfiguration.TLS(certificateChain: $0.certificate, privateKey: $0.key) }
        configuration.httpTLS = tls
        configuration.tcpTLS = tls
        configuration.maxBodyBytes = ingest.maxBody.bytes
        configuration.maxInflatedBytes = ingest.maxInflated.bytes
        configuration.decodeLimits.eventBytes = ingest.maxEvent.bytes
        configuration.maxLineBytes = ingest.maxEvent.bytes
        configuration.inFlightBytes = ingest.maxInFlight.bytes
        configuration.maxConnections = ingest.maxConnections
        configuration.headerTimeout = ingest.headerTimeout
        configuration.bodyTimeout = ingest.bodyTimeout
        configuration.idleTimeout = ingest.idleTimeout
        configuration.waitTimeout = ingest.waitTimeout
        configuration.tcpStream = ingest.tcpStream
        return configuration
    }
}
