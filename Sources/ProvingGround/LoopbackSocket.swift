import Glibc

/// A blocking connection to a port of loopback. Owner: one thread.
package final class LoopbackSocket {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
        /// `errno` of the call; 0 where no call failed.
        package var code: Int32 = 0

        package init(description: String) {
            self.description = description
        }

        /// Of the call that failed last.
        fileprivate init(last call: String) {
            code = errno
            description = "\(call): \(String(cString: strerror(code)))"
        }
    }

    let descriptor: Int32

    /// - Parameters:
    ///   - patience: seconds after which a read that gets nothing fails; 0 for never.
    ///   - window: bytes of the receive buffer; what is not read there stays with the other end.
    package init(port: Int, patience: Int, window: Int32? = nil) throws(Failure) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(last: "socket") }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var window { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size)) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let outcome = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else { throw Failure(last: "connect") }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Sends all of it.
    package func send(_ bytes: [UInt8]) throws(Failure) {
        var left = bytes[...]
        while !left.isEmpty {
            let sent = left.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Failure(last: "send") }
            left = left.dropFirst(sent)
        }
    }

    /// The other end reads that nothing more comes; it can still be read from.
    package func endSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// What comes next; empty at the end of the connection.
    package func receive() throws(Failure) -> ArraySlice<UInt8> {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count >= 0 else { throw Failure(last: "recv") }
        return piece[..<count]
    }
}
