/// One generated API request, an event of the stream `apirequests`.
package struct APIRequest: Hashable, Sendable {
    package var time: Timestamp
    /// Index into the catalogue's endpoints.
    package var endpoint: Int
    package var statusCode: Int
    package var latencyMicroseconds: Int64
    package var requestBytes: Int64
    package var responseBytes: Int64
    /// The 128 bits of the trace id.
    package var traceHigh: UInt64
    package var traceLow: UInt64
    package var client: ClientAddress
    /// Index into ``ServiceCatalog/userAgents``.
    package var userAgent: Int
    package var region: Int
    /// Number of the service's release.
    package var release: Int
    /// Number of the instance that answered.
    package var instance: Int
    package var cached: Bool

    package enum ClientAddress: Hashable, Sendable {
        case v4(UInt32)
        /// The low 64 bits; the high ones are the documentation prefix 2001:db8::/32 and a zero network.
        case v6(UInt64)
    }
}
