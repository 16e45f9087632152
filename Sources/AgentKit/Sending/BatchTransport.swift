/// Sends the body of an ingest request and waits for the answer; the port of ``Sender`` and the seed's way through the API.
package protocol BatchTransport: Sendable {
    /// One attempt. Never throws: what goes wrong on the way is a reply.
    func post(_ body: [UInt8], key: String?) async -> IngestReply

    /// Ends the connections; nothing is posted afterwards. Must be called before the transport is let go.
    func close() async
}
