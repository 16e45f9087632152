import Glibc

/// TCP ports of 127.0.0.1.
package enum LoopbackPort {
    /// The system's choice of a port that nobody listens on. Somebody may take it before the caller does.
    package static func free() throws(LocalPostgresFault) -> Int {
        guard let port = bind(to: 0) else {
            throw LocalPostgresFault("no free port: \(String(cString: strerror(errno)))")
        }
        return port
    }

    /// Nobody listens on the port, neither on 127.0.0.1 nor on every address.
    package static func isFree(_ port: Int) -> Bool {
        UInt16(exactly: port).flatMap { bind(to: $0) } != nil
    }

    /// Binds a socket to the port, closes it again, and returns the port that it had.
    private static func bind(to port: UInt16) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // As PostgreSQL does: connections of the past that linger in TIME_WAIT don't count.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard Glibc.bind(descriptor, generic, length) == 0, listen(descriptor, 1) == 0,
                    getsockname(descriptor, generic, &length) == 0
                else { return nil }
                return Int(UInt16(bigEndian: pointer.pointee.sin_port))
            }
        }
    }
}
