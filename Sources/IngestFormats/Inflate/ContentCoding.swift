/// How a request's body is compressed: the tokens of HTTP's `Content-Encoding`.
package enum ContentCoding: String, Hashable, Sendable, CaseIterable {
    /// RFC 1952; several members after one another are one body.
    case gzip
    /// The zlib format of RFC 1950, which is what HTTP means by the word.
    case deflate
    /// LZ4 frames; several after one another are one body.
    case lz4
}
