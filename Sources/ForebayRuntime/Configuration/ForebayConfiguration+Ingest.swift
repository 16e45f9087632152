extension ForebayConfiguration {
    /// `ingest:`, the ports for agents.
    package struct Ingest: Hashable, Sendable {
        package enum Auth: String, Hashable, Sendable, CaseIterable {
            /// Everybody may write; refused on an address that is not loopback.
            case noneOnLoopback = "none"
            /// Everybody who reaches the port may write, on whatever address.
            case noneOnAnyAddress = "none-on-any-address"
            /// A bearer token of ``Ingest/tokensFile``.
            case tokens
        }

        package var http = [NetworkAddress(host: "127.0.0.1", port: 4318)]
        package var tcp = [NetworkAddress(host: "127.0.0.1", port: 5170)]
        /// The stream of a TCP connection whose first line names none; nil makes the first line name one.
        package var tcpStream: String? = "apirequests"
        /// The most bytes of a request's body as sent.
        package var maxBody = ByteCount(mebibytes: 16)
        /// The most bytes of a request's body once inflated.
        package var maxInflated = ByteCount(mebibytes: 64)
        /// The most bytes of one event.
        package var maxEvent = ByteCount(mebibytes: 1)
        /// The most bytes of bodies in memory, over all connections.
        package var maxInFlight = ByteCount(mebibytes: 64)
        package var maxConnections = 4096
        /// From a connection's first byte of a request to the end of its header.
        package var headerTimeout = Duration.seconds(10)
        /// From the end of the header to the end of the body.
        package var bodyTimeout = Duration.seconds(60)
        /// How long a connection may say nothing between requests.
        package var idleTimeout = Duration.seconds(75)
        /// How long `?wait=` holds an answer at most.
        package var waitTimeout = Duration.seconds(30)
        package var auth = Auth.noneOnLoopback
        package var tokensFile = "/etc/forebay/tokens"
        /// nil serves plain text.
        package var tls: TLS?

        package init() {}
    }
}
