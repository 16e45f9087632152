package import Records

/// An idempotency key with the request that it stands for, as blocks and sidecars hold it: 40 bytes.
package struct KeyEntry: Hashable, Sendable {
    package static let byteCount = 40

    package var request: KeyedRequest
    package var first: Offset
    package var count: Int
    /// Seconds since 1970.
    package var seconds: UInt32

    package init(request: KeyedRequest, first: Offset, count: Int, seconds: UInt32) {
        self.request = request
        self.first = first
        self.count = count
        self.seconds = seconds
    }

    /// The offset of the request's last event, which its receipt names.
    package var last: Offset { first.advanced(by: count - 1) }

    func encode(into bytes: UnsafeMutableRawPointer) {
        bytes.store(littleEndian: request.key.high, at: 0)
        bytes.store(littleEndian: request.key.low, at: 8)
        bytes.store(littleEndian: request.bodyDigest, at: 16)
        bytes.store(littleEndian: first.rawValue, at: 24)
        bytes.store(littleEndian: UInt32(count), at: 32)
        bytes.store(littleEndian: seconds, at: 36)
    }

    /// Reads an entry; nil if it stands for no event or for offsets that can't be.
    static func decode(_ bytes: UnsafeRawPointer) -> KeyEntry? {
        let first = Offset(bytes.littleEndian(at: 24, as: UInt64.self))
        let count: UInt32 = bytes.littleEndian(at: 32)
        guard first > .none, first < .unreachable, count > 0, first.advanced(by: Int(count)) <= .unreachable else {
            return nil
        }
        return KeyEntry(
            request: KeyedRequest(
                key: IdempotencyKey(high: bytes.littleEndian(at: 0), low: bytes.littleEndian(at: 8)),
                bodyDigest: bytes.littleEndian(at: 16)
            ),
            first: first,
            count: Int(count),
            seconds: bytes.littleEndian(at: 36)
        )
    }
}
