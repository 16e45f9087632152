import Dispatch
import Glibc

/// A socket on loopback that sends exactly the bytes it is told to, and reads with a limit of time, so that a server
/// that does not answer fails a test instead of hanging it. Reading blocks a thread of its own, not one that tests
/// share.
final class LoopbackClient: @unchecked Sendable {
    // Sendable because one test uses it, and waits for each of its reads.

    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    struct Response: Equatable {
        var status: Int
        var fields: [String: String]
        var body: String
    }

    private let descriptor: Int32
    private let reader = DispatchQueue(label: "loopback client")
    private var unread: [UInt8] = []

    init(port: Int, seconds: Int = 20) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Broken(description: "connect: errno \(errno)") }
    }

    deinit {
        close(descriptor)
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Broken(description: "send: errno \(errno) after \(sent) bytes") }
            sent += count
        }
    }

    /// Sends what the socket takes without waiting for the peer; returns how many bytes that were.
    func sendWithoutWaiting(_ bytes: [UInt8]) -> Int {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        return max(0, bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, bytes.count, flags) })
    }

    func endSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Reads one response, by its Content-Length; `hasBody` is false for the answer to HEAD.
    func response(hasBody: Bool = true) async throws -> Response {
        while true {
            if let end = headEnd() {
                let lines = String(decoding: unread[..<end], as: UTF8.self).split(separator: "\r\n")
                var fields: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    fields[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
                }
                let length = hasBody ? Int(fields["content-length"] ?? "0") ?? 0 : 0
                while unread.count < end + 4 + length {
                    guard try await readMore() else { throw Broken(description: "the connection ended within a body") }
                }
                let body = String(decoding: unread[(end + 4)..<(end + 4 + length)], as: UTF8.self)
                unread.removeFirst(end + 4 + length)
                let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                return Response(status: status, fields: fields, body: body)
            }
            guard try await readMore() else { throw Broken(description: "the connection ended before an answer") }
        }
    }

    /// Reads one line, without its line end; nil at the end of the connection.
    func line() async throws -> String? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeFirst(end + 1)
                return line
            }
            guard try await readMore() else { return nil }
        }
    }

    /// Everything up to the end of the connection; a reset counts as one.
    func rest() async throws -> String {
        while try await readMore() {}
        defer { unread = [] }
        return String(decoding: unread, as: UTF8.self)
    }

    private func headEnd() -> Int? {
        guard unread.count >= 4 else { return nil }
        return (0...unread.count - 4).first { unread[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }
    }

    /// Waits for more bytes; false at the end of the connection.
    private func readMore() async throws -> Bool {
        let chunk: [UInt8] = try await withCheckedThrowingContinuation { continuation in
            reader.async { [self] in
                var chunk = [UInt8](repeating: 0, count: 65536)
                let count = recv(descriptor, &chunk, chunk.count, 0)
                if count < 0, errno == EAGAIN {
                    continuation.resume(throwing: Broken(description: "nothing came within the limit of time"))
                } else {
                    continuation.resume(returning: Array(chunk[..<max(0, count)]))
                }
            }
        }
        unread.append(contentsOf: chunk)
        return !chunk.isEmpty
    }
}
