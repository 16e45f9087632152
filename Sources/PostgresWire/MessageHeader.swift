/// The five bytes at the beginning of a message.
package struct MessageHeader: Hashable, Sendable {
    package static let bytes = 5

    package var tag: UInt8
    /// Of the whole message, the tag included.
    package var messageBytes: Int

    package init(tag: UInt8, messageBytes: Int) {
        self.tag = tag
        self.messageBytes = messageBytes
    }

    /// The header at `offset`; nil if it is not there as a whole yet.
    ///
    /// - Parameter limit: the longest length that is taken.
    @inlinable
    package static func read(
        _ bytes: UnsafeRawBufferPointer,
        at offset: Int,
        limit: Int = WireLimits.messageBytes
    ) throws(WireFault) -> MessageHeader? {
        guard bytes.count - offset >= Self.bytes else { return nil }
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 1, as: Int32.self)))
        guard length >= 4, length <= limit else { throw .length(length, limit: limit) }
        return MessageHeader(tag: bytes[offset], messageBytes: length + 1)
    }
}
