import Foundation
import Glibc
import LocalPostgres
import Synchronization

/// A port of loopback in front of a node, which can be made slow, led to another node, moved, and closed, while the proxy goes on using it.
package final class NodeRelay: Sendable {
    package let host: String
    package let port: Int

    private struct State {
        var target: Int
        var delay = Duration.zero
        var listener: Int32
        /// Both ends of what is connected.
        var sockets: Set<Int32> = []
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - target: the port that connections are led to.
    ///   - host: any address of loopback.
    ///   - port: nil for a free one.
    package init(to target: Int, host: String = "127.0.0.1", port: Int? = nil) throws {
        self.host = host
        self.port = try port ?? LoopbackPort.free()
        state = Mutex(State(target: target, listener: -1))
        try listen()
    }

    package var address: String { "\(host):\(port)" }

    /// Each piece of an answer comes that much later.
    package func slow(by delay: Duration) {
        state.withLock { $0.delay = delay }
    }

    /// What is connected is cut off; from here on connections go to this port.
    package func lead(to target: Int) {
        state.withLock { $0.target = target }
        cut()
    }

    /// What is connected is cut off, and nothing listens any more.
    package func close() {
        let listener = state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        // Ends the accept that waits on it; its thread closes it.
        if listener >= 0 { shutdown(listener, Int32(SHUT_RDWR)) }
        cut()
    }

    package func listen() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = Self.with(host, port) { bind(listener, $0, $1) }
        guard bound == 0, Glibc.listen(listener, 64) == 0 else {
            Glibc.close(listener)
            throw LocalPostgresFault("can't listen on \(address): \(String(cString: strerror(errno)))")
        }
        state.withLock { $0.listener = listener }
        Thread.detachNewThread { self.accept(on: listener) }
    }

    private func cut() {
        state.withLock { state in
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    private func accept(on listener: Int32) {
        defer { Glibc.close(listener) }
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let target = state.withLock { $0.target }
            guard Self.with("127.0.0.1", target, { connect(server, $0, $1) }) == 0 else {
                Glibc.close(client)
                Glibc.close(server)
                continue
            }
            state.withLock { $0.sockets.formUnion([client, server]) }
            let pumps = Pumps(left: 2)
            Thread.detachNewThread { self.pump(from: client, to: server, isAnswer: false, pumps) }
            Thread.detachNewThread { self.pump(from: server, to: client, isAnswer: true, pumps) }
        }
    }

    /// The two directions of a connection; the last one to end closes it.
    private final class Pumps: Sendable {
        let left: Mutex<Int>

        init(left: Int) {
            self.left = Mutex(left)
        }
    }

    private func pump(from source: Int32, to sink: Int32, isAnswer: Bool, _ pumps: Pumps) {
        var piece = [UInt8](repeating: 0, count: 65536)
        loop: while true {
            let count = recv(source, &piece, piece.count, 0)
            guard count > 0 else { break }
            let delay = isAnswer ? state.withLock { $0.delay } : .zero
            if delay > .zero { usleep(UInt32(delay / .microseconds(1))) }
            var left = piece[..<count]
            while !left.isEmpty {
                let sent = left.withUnsafeBytes { send(sink, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard sent > 0 else { break loop }
                left = left.dropFirst(sent)
            }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
        let isLast = pumps.left.withLock { left in
            left -= 1
            return left == 0
        }
        guard isLast else { return }
        state.withLock { $0.sockets.subtract([source, sink]) }
        Glibc.close(source)
        Glibc.close(sink)
    }

    private static func with(
        _ host: String,
        _ port: Int,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
