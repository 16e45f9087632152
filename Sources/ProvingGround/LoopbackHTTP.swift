import Foundation

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
        var answer: [UInt8] = []
        do {
            let socket = try LoopbackSocket(port: port, patience: 10)
            try socket.send(Array(request.utf8))
            while case let piece = try socket.receive(), !piece.isEmpty { answer += piece }
        } catch {
            return nil
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let header = String(text[..<end.lowerBound])
        let words = header.split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { return nil }
        return Answer(status: status, header: header, body: String(text[end.upperBound...]))
    }
}
