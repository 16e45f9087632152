/// Why the bytes of a connection are not a request that can be answered. After any of these the connection is closed,
/// since nobody can tell where the next request would begin.
package enum HTTPFault: Error, Hashable, Sendable, CaseIterable {
    case badRequestLine
    case badMethod
    case badTarget
    case badVersion
    case unsupportedVersion
    case requestLineTooLong
    case bareLineFeed
    case controlCharacter
    case fieldWithoutColon
    case badFieldName
    case spaceBeforeColon
    case foldedField
    case headersTooLarge
    case tooManyHeaders
    case missingHost
    case duplicateHost
    case badHost
    case hostMismatch
    case duplicateLength
    case badLength
    case lengthWithTransferEncoding
    case duplicateTransferEncoding
    case badTransferEncoding
    case unknownTransferCoding
    case transferEncodingInOldVersion
    case unknownExpectation
    case duplicateField
    case bodyTooLarge
    case badChunkSize
    case badChunkExtension
    case chunkLineTooLong
    case chunkExtensionsTooLarge
    case badChunkEnd
    case trailersTooLarge
    case tooManyTrailers

    /// The status of the last answer that the connection gets.
    package var status: Int {
        switch self {
        case .badRequestLine, .badMethod, .badTarget, .badVersion, .bareLineFeed, .controlCharacter, .fieldWithoutColon,
            .badFieldName, .spaceBeforeColon, .foldedField, .missingHost, .duplicateHost, .badHost, .hostMismatch,
            .duplicateLength, .badLength, .lengthWithTransferEncoding, .duplicateTransferEncoding, .badTransferEncoding,
            .transferEncodingInOldVersion, .duplicateField, .badChunkSize, .badChunkExtension, .chunkLineTooLong,
            .chunkExtensionsTooLarge, .badChunkEnd:
            400
        case .bodyTooLarge: 413
        case .requestLineTooLong: 414
        case .unknownExpectation: 417
        case .headersTooLarge, .tooManyHeaders, .trailersTooLarge, .tooManyTrailers: 431
        case .unknownTransferCoding: 501
        case .unsupportedVersion: 505
        }
    }

    /// What was found and what was expected, for the `detail` of the answer.
    package var detail: String {
        switch self {
        case .badRequestLine: "The request line is not METHOD SP target SP HTTP/1.1, with single spaces."
        case .badMethod: "The method is not a token of RFC 9110, section 5.6.2."
        case .badTarget:
            "The request target is neither a path that begins with / nor an absolute http URI of allowed characters."
        case .badVersion: "The protocol version is not HTTP/digit.digit."
        case .unsupportedVersion: "This server speaks HTTP/1.0 and HTTP/1.1."
        case .requestLineTooLong: "The request line is longer than this server takes."
        case .bareLineFeed: "A line of the head ends with LF alone; CRLF is expected."
        case .controlCharacter: "A field value holds a control character."
        case .fieldWithoutColon: "A header line has no colon."
        case .badFieldName: "A header name is empty or not a token of RFC 9110, section 5.6.2."
        case .spaceBeforeColon: "A header name is followed by white space before its colon."
        case .foldedField:
            "A header line begins with white space; folded lines are obsolete and refused (RFC 9112, section 5.2)."
        case .headersTooLarge: "The header section is larger than this server takes."
        case .tooManyHeaders: "The header section has more lines than this server takes."
        case .missingHost: "An HTTP/1.1 request needs a Host header."
        case .duplicateHost: "The Host header was sent more than once."
        case .badHost: "The Host header is not host or host:port."
        case .hostMismatch: "The host of the request target is not that of the Host header."
        case .duplicateLength: "Content-Length was sent more than once."
        case .badLength: "Content-Length is not one decimal number."
        case .lengthWithTransferEncoding: "Content-Length and Transfer-Encoding were both sent."
        case .duplicateTransferEncoding: "Transfer-Encoding was sent more than once."
        case .badTransferEncoding: "chunked has to be the last transfer coding, and to be named once."
        case .unknownTransferCoding: "The only transfer coding that this server knows is chunked."
        case .transferEncodingInOldVersion: "HTTP/1.0 has no Transfer-Encoding."
        case .unknownExpectation: "The only expectation that this server knows is 100-continue."
        case .duplicateField: "A header that may be sent once was sent more than once."
        case .bodyTooLarge: "The body is larger than this server takes."
        case .badChunkSize: "A chunk does not begin with its size in hexadecimal digits."
        case .badChunkExtension: "A chunk extension is not ;name=value of allowed characters."
        case .chunkLineTooLong: "A chunk-size line is longer than this server takes."
        case .chunkExtensionsTooLarge: "The chunk extensions of the body are larger than this server takes."
        case .badChunkEnd: "The data of a chunk is not followed by CRLF."
        case .trailersTooLarge: "The trailer section is larger than this server takes."
        case .tooManyTrailers: "The trailer section has more lines than this server takes."
        }
    }
}
