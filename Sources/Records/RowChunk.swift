/// Rows read back from the queue: one block's worth, of one layout.
package struct RowChunk: Sendable {
    package var fingerprint: Fingerprint
    /// The offset of the first row; the others follow densely.
    package var first: Offset
    package var count: Int
    /// COPY binary tuples back to back, without header or trailer.
    package var bytes: [UInt8]

    package init(fingerprint: Fingerprint, first: Offset, count: Int, bytes: [UInt8]) {
        self.fingerprint = fingerprint
        self.first = first
        self.count = count
        self.bytes = bytes
    }

    /// The offset of the last row.
    package var last: Offset { first.advanced(by: count - 1) }
}
