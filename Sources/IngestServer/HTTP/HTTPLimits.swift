/// What a request may cost before it is refused. Bytes and counts, each inclusive.
package struct HTTPLimits: Hashable, Sendable {
    /// Bytes of the request line without its CRLF; more is 414.
    package var requestLineBytes: Int
    /// Bytes of all field lines with their CRLFs, for the header section and again for the trailers; more is 431.
    package var headerBytes: Int
    /// Field lines of the header section, and again of the trailers; more is 431.
    package var headerCount: Int
    /// Bytes of a body as sent, before any Content-Encoding is undone; more is 413.
    package var bodyBytes: Int
    /// Bytes of one chunk-size line with its extensions, without its CRLF.
    package var chunkLineBytes: Int
    /// Bytes of chunk extensions over a whole body.
    package var chunkExtensionBytes: Int

    package init(
        requestLineBytes: Int = 8192,
        headerBytes: Int = 16384,
        headerCount: Int = 100,
        bodyBytes: Int = 16 << 20,
        chunkLineBytes: Int = 256,
        chunkExtensionBytes: Int = 4096
    ) {
        self.requestLineBytes = requestLineBytes
        self.headerBytes = headerBytes
        self.headerCount = headerCount
        self.bodyBytes = bodyBytes
        self.chunkLineBytes = chunkLineBytes
        self.chunkExtensionBytes = chunkExtensionBytes
    }
}
