import CLibPQ
import Glibc

extension PostgresConnection {
    /// The most bytes that libpq holds back before the socket is waited for. In nonblocking mode it would otherwise take all that it is given, into
    /// a buffer that grows and never shrinks.
    private static var mostHeldBack: Int { 256 << 10 }

    /// Sends COPY data, in messages of ``CopyBuffer/byteCount`` bytes at most; returns as soon as libpq has it. Bytes are copied once, into
    /// libpq's output buffer.
    func putCopyData(_ bytes: UnsafeRawBufferPointer, by deadline: Deadline) throws(ConnectionFault) {
        var sent = 0
        while sent < bytes.count {
            let count = min(CopyBuffer.byteCount, bytes.count - sent)
            let piece = UnsafeRawBufferPointer(rebasing: bytes[sent..<sent + count])
            try retryingWhenFull(by: deadline) {
                PQputCopyData(handle, piece.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(count))
            }
            sent += count
            heldBack += count
            if heldBack >= Self.mostHeldBack {
                try flushOutput(by: deadline)
            }
        }
    }

    /// Ends the COPY; returns as soon as libpq has it, `flushOutput` sends it.
    func putCopyEnd(by deadline: Deadline) throws(ConnectionFault) {
        try retryingWhenFull(by: deadline) { PQputCopyEnd(handle, nil) }
    }

    /// The connection is known to be lost: the server closed it, or a send failed. Looks, without waiting.
    func looksBroken() -> Bool {
        guard PQstatus(handle) == CONNECTION_OK else { return true }
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        // The server's last message comes first, the end of the stream only with the next read.
        while poll(&descriptor, 1, 0) > 0 {
            if PQconsumeInput(handle) == 0 || PQstatus(handle) != CONNECTION_OK { return true }
        }
        return false
    }

    /// What the server said before it closed a connection in the middle of a COPY; nil if it said nothing.
    ///
    /// Only for a connection that is lost: ending the COPY is then for libpq alone, which passes the message on only after it.
    func lastWords() -> ConnectionFault? {
        guard PQstatus(handle) != CONNECTION_OK else { return nil }
        let reason = message
        PQputCopyEnd(handle, "abandoned")
        while let step = try? nextResult(by: .after(.zero)) {
            switch step {
            case .refused(let error): return .server(error)
            case .rows: continue
            case .copyIn, .done: return .broken(reason)
            }
        }
        return .broken(reason)
    }

    /// Runs a libpq call that returns 0 while its buffer is full, 1 when done and -1 when the connection is lost.
    private func retryingWhenFull(by deadline: Deadline, _ call: () -> Int32) throws(ConnectionFault) {
        while true {
            switch call() {
            case 1: return
            case 0: try wait(for: POLLOUT, by: deadline, doing: "sending rows")
            default: throw .broken(message)
            }
        }
    }
}
