/// Collects COPY data into messages of a good size: small ones cost a header and a call each, and large ones leave the processor's cache between
/// the copy into libpq's buffer and the system's.
///
/// Owner: the lane's flusher thread. It keeps its memory from flush to flush.
final class CopyBuffer {
    /// With the five bytes of a message's header, 64 KiB: libpq sends whole multiples of 8 KiB, and so has nothing left over.
    static let byteCount = (64 << 10) - 5
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: CopyBuffer.byteCount, alignment: 64)
    private var count = 0

    deinit {
        bytes.deallocate()
    }

    /// Forgets what a flush that failed has left.
    func reset() {
        count = 0
    }

    /// Adds bytes, and sends what is full.
    func append(
        _ added: UnsafeRawBufferPointer,
        to connection: PostgresConnection,
        by deadline: Deadline
    ) throws(ConnectionFault) {
        guard let start = added.baseAddress else { return }
        if added.count <= Self.byteCount - count {
            (bytes + count).copyMemory(from: start, byteCount: added.count)
            count += added.count
            return
        }
        try send(to: connection, by: deadline)
        if added.count >= Self.byteCount / 2 {
            // A copy more would gain nothing.
            try connection.putCopyData(added, by: deadline)
        } else {
            bytes.copyMemory(from: start, byteCount: added.count)
            count = added.count
        }
    }

    /// Hands what is left to libpq.
    func send(to connection: PostgresConnection, by deadline: Deadline) throws(ConnectionFault) {
        let filled = count
        count = 0
        try connection.putCopyData(UnsafeRawBufferPointer(start: bytes, count: filled), by: deadline)
    }
}
