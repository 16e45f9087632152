/// A stretch of bytes within a head, counted from the head's first byte.
package struct ByteRange: Hashable, Sendable {
    package var start: Int32
    package var count: Int32

    @inlinable
    package init(_ start: Int, _ end: Int) {
        self.start = Int32(truncatingIfNeeded: start)
        count = Int32(truncatingIfNeeded: end - start)
    }

    /// The bytes of the range, where `base` is the head's first byte.
    @inlinable
    package func bytes(of base: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + Int(start), count: Int(count))
    }
}

package enum HTTPMethod: UInt8, Hashable, Sendable {
    case get
    case head
    case post
    case put
    case delete
    case patch
    case options
    case trace
    case connect
    /// A token that RFC 9110 and RFC 5789 don't define.
    case other
}

/// What an ingest server wants to know of a request before its body.
///
/// Holds no bytes: the ranges point into the buffer that the head was parsed from, and are good as long as that is.
package struct HTTPRequestHead: Hashable, Sendable {
    /// How the end of the body is found (RFC 9112, section 6.3).
    package enum Framing: Hashable, Sendable {
        case none
        case length(Int)
        case chunked
    }

    package var method = HTTPMethod.other
    /// 0 or 1, of HTTP/1.
    package var minorVersion: UInt8 = 1
    /// Percent-encoded as sent; begins with "/", or is "*".
    package var path = ByteRange(0, 0)
    /// What follows the "?", if there is one.
    package var query: ByteRange?
    package var framing = Framing.none
    /// The connection is kept after the answer.
    package var isPersistent = true
    /// The client waits for 100 before it sends the body.
    package var expectsContinue = false
    /// A script of a web page sends this.
    package var hasOrigin = false
    package var contentType: ByteRange?
    package var contentEncoding: ByteRange?
    package var authorization: ByteRange?
    package var idempotencyKey: ByteRange?
    package var orderKey: ByteRange?

    package init() {}
}
