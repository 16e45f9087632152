import Foundation
import Glibc
import ProvingGround

/// One request over a connection of its own, whose answer is read only as it is asked for, and whose end is told from its breaking off. Owner: one thread.
final class StreamingHTTP {
    private let socket: LoopbackSocket
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
        socket = try LoopbackSocket(port: port, patience: 40, window: window)
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: \(body.utf8.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        try socket.send(Array("\(head)\r\n\(body)".utf8))
        guard let line = try line(), let code = line.split(separator: " ").dropFirst().first, let status = Int(code)
        else { throw LoopbackSocket.Failure(description: "no answer") }
        self.status = status
        fields = try readFields()
    }

    private func fill() throws -> Bool {
        do throws(LoopbackSocket.Failure) {
            let piece = try socket.receive()
            received += piece
            return !piece.isEmpty
        } catch {
            // A reset is an end that is not whole.
            if error.code == ECONNRESET { return false }
            throw error
        }
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
