import Dispatch
import Glibc
import ProvingGround

/// Sends text to a server that answers nothing, as fast as the server reads.
enum LineFeed {
    /// Each part over a connection of its own; returns when the server has closed them all, which it does after their last line.
    static func send(_ parts: [[UInt8]], to port: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in parts {
                group.addTask {
                    // Blocking calls belong on threads of their own.
                    try await withCheckedThrowingContinuation { continuation in
                        DispatchQueue.global().async {
                            continuation.resume(with: Result { try send(part, to: port) })
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    static func canConnect(to port: Int) -> Bool {
        guard let descriptor = connected(to: port) else { return false }
        close(descriptor)
        return true
    }

    private static func send(_ bytes: [UInt8], to port: Int) throws {
        guard let descriptor = connected(to: port) else { throw YardFault("port \(port) does not answer") }
        defer { close(descriptor) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                Glibc.send(descriptor, all.baseAddress?.advanced(by: sent), all.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw YardFault("the connection broke after \(sent) bytes") }
            sent += count
        }
        shutdown(descriptor, Int32(SHUT_WR))
        var byte: UInt8 = 0
        guard recv(descriptor, &byte, 1, 0) == 0 else { throw YardFault("the server did not close the connection") }
    }

    private static func connected(to port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}
