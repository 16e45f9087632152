import Foundation
import Glibc

/// One request over a connection of its own, whose answer is read only as it is asked for, and whose end is told from its breaking off. Owner: one thread.
final class StreamingHTTP {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let descriptor: Int32
    private var received: [UInt8] = []
    private(set) var status = 0
    private(set) var fields: [String: String] = [:]
    private(set) var trailers: [String: String] = [:]
    /// The end of the body was sent, and not just the connection closed.
    private(set) var isWhole = false

    /// Sends a request and reads the head of its answer.
    ///
    /// - Parameter window: of the socket's receive buffer; what is not read there stays with the proxy.
    init(
        port: Int,
        _ method: String,
        _ target: String,
        headers: [String: String] = [:],
        body: String = "",
        window: Int32? = nil
    ) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var patience = timeval(tv_sec: 40, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
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
        guard outcome == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.utf8.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        var left = Array("\(head)\r\n\(body)".utf8)[...]
        while !left.isEmpty {
            let sent = left.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
            left = left.dropFirst(sent)
        }
        guard let line = try line(), let code = line.split(separator: " ").dropFirst().first, let status = Int(code)
        else { throw Failure(description: "no answer") }
        self.status = status
        fields = try readFields()
    }

    deinit {
        Glibc.close(descriptor)
    }

    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 16384)
        let count = recv(descriptor, &piece, piece.count, 0)
        // A reset is an end that is not whole.
        if count < 0, errno == ECONNRESET { return false }
        guard count >= 0 else { throw Failure(description: "recv: \(String(cString: strerror(errno)))") }
        received += piece[..<count]
        return count > 0
    }

    /// Without its end; nil if the connection is over first.
    private func line() throws -> String? {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                let line = String(decoding: received[..<end].filter { $0 != 0x0D }, as: UTF8.self)
                received.removeFirst(end + 1)
                return line
            }
            guard try fill() else { return nil }
        }
    }

    private func readFields() throws -> [String: String] {
        var fields: [String: String] = [:]
        while let line = try line(), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        return fields
    }

    private func take(_ count: Int) throws -> [UInt8]? {
        while received.count < count {
            guard try fill() else { return nil }
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    /// The next piece of the body; nil behind the last, or if the connection is over.
    func piece() throws -> [UInt8]? {
        guard !isWhole else { return nil }
        if fields["transfer-encoding"] == "chunked" {
            guard let size = try line(), let count = Int(size, radix: 16) else { return nil }
            guard count > 0 else {
                trailers = try readFields()
                isWhole = true
                return nil
            }
            guard let bytes = try take(count), try line() == "" else { return nil }
            return bytes
        }
        guard let count = fields["content-length"].flatMap({ Int($0) }), let bytes = try take(count) else { return nil }
        isWhole = true
        return bytes
    }

    /// What is left of the body.
    func text() throws -> String {
        var bytes: [UInt8] = []
        while let piece = try piece() { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }
}
