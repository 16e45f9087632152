package import IngestFormats

/// Where to listen and what senders may use up. Sizes are in bytes.
package struct IngestConfiguration: Hashable, Sendable {
    /// A host name or address, and a port; port 0 asks the system for a free one.
    package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
        package var host: String
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    /// PEM files of a certificate chain and its private key.
    package struct TLS: Hashable, Sendable {
        package var certificateChain: String
        package var privateKey: String

        package init(certificateChain: String, privateKey: String) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }

    package var http: [Endpoint] = [Endpoint(host: "127.0.0.1", port: 4318)]
    package var tcp: [Endpoint] = [Endpoint(host: "127.0.0.1", port: 5170)]
    package var httpTLS: TLS?
    package var tcpTLS: TLS?

    /// The largest body as sent, and the largest after its Content-Encoding is undone.
    package var maxBodyBytes = 16 << 20
    package var maxInflatedBytes = 64 << 20
    package var decodeLimits = DecodeLimits()
    package var requestLineBytes = 8192
    package var headerBytes = 16384
    package var headerCount = 100
    /// Requests of one connection that are read before the first of them is answered.
    package var pipelineDepth = 32
    /// The longest line of the TCP protocol, without its line end.
    package var maxLineBytes = 1 << 20
    /// Bytes of lines that may wait in one batch of the TCP protocol.
    package var maxBatchBytes = 1 << 20
    /// Bytes of bodies and lines that may be in the hands of the listeners, all connections together.
    package var inFlightBytes = 64 << 20
    package var maxConnections = 4096

    /// From the first byte of a head (or the start of the connection) to its end; then 408.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of a head to the end of the body, without what this server made the sender wait; then 408.
    package var bodyTimeout = Duration.seconds(60)
    /// From an answer to the next request; then the connection is closed.
    package var idleTimeout = Duration.seconds(75)
    /// How long a peer may leave answers unread; then the connection is closed.
    package var writeTimeout = Duration.seconds(30)
    /// How long a request may wait for its share of `inFlightBytes`; then 503.
    package var budgetTimeout = Duration.seconds(10)
    /// How long `?wait=` holds an answer; then 202.
    package var waitTimeout = Duration.seconds(30)
    /// How long what a peer still sends is read and dropped after the last answer.
    package var lingerTimeout = Duration.seconds(2)

    /// How often connections whose time is up are looked for: every limit of time is kept to this much.
    package var sweepInterval = Duration.milliseconds(200)

    /// The stream of TCP connections that name none.
    package var tcpStream: String?
    /// Connections that the kernel may hold before they are accepted.
    package var backlog = 1024

    package init() {}

    var httpLimits: HTTPLimits {
        HTTPLimits(
            requestLineBytes: requestLineBytes,
            headerBytes: headerBytes,
            headerCount: headerCount,
            bodyBytes: maxBodyBytes
        )
    }
}
