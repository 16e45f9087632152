import Foundation
import Glibc

/// One request over a connection of its own to a port on loopback; enough to ask a proxy how it is.
package struct LoopbackHTTP: Sendable {
    package var port: Int

    package init(port: Int) {
        self.port = port
    }

    package struct Answer: Sendable {
        package var status: Int
        package var header: String
        package var body: String

        /// The value of a header field, by its name in lower case.
        package func field(_ name: String) -> String? {
            for line in header.split(separator: "\r\n") {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2, parts[0].lowercased() == name {
                    return parts[1].trimmingCharacters(in: .whitespaces)
                }
            }
            return nil
        }
    }

    package func get(_ path: String) -> Answer? {
        ask("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    }

    /// - Parameter key: sent as the idempotency key.
    package func post(
        _ path: String,
        body: String,
        type: String = "application/x-ndjson",
        key: String? = nil
    ) -> Answer? {
        ask(
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: \(type)\r\n"
                + (key.map { "Idempotency-Key: \($0)\r\n" } ?? "")
                + "Content-Length: \(body.utf8.count)\r\n\r\n" + body
        )
    }

    /// nil if the port refuses, breaks off or says nothing for ten seconds.
    private func ask(_ request: String) -> Answer? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        var left = Array(request.utf8)[...]
        while !left.isEmpty {
            let sent = left.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return nil }
            left = left.dropFirst(sent)
        }
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count >= 0 else { return nil }
            if count == 0 { break }
            answer += piece[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let header = String(text[..<end.lowerBound])
        let words = header.split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        return Answer(status: status, header: header, body: String(text[end.upperBound...]))
    }
}
