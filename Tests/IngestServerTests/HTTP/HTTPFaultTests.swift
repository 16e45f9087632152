import Testing

@testable import IngestServer

/// What could be understood in two ways, or breaks a rule: each input with its fault and its status. A row that is
/// taken away from the parser's rules makes its row here fail, since the input is sound but for that one thing.
@Suite struct HTTPFaultTests {
    private static let host = "Host: a\r\n"

    private static func get(_ fields: String) -> String { "GET / HTTP/1.1\r\n\(fields)\r\n" }
    private static func post(_ fields: String, _ body: String = "") -> String {
        "POST / HTTP/1.1\r\n\(host)\(fields)\r\n\(body)"
    }
    private static func chunks(_ body: String) -> String { post("Transfer-Encoding: chunked\r\n", body) }

    static let table: [(input: String, fault: HTTPFault, status: Int)] = [
        // Request line
        ("GET /\r\n\r\n", .badRequestLine, 400),
        ("GET\r\n", .badRequestLine, 400),
        (" GET / HTTP/1.1\r\n", .badRequestLine, 400),
        ("GET  / HTTP/1.1\r\n", .badRequestLine, 400),
        ("GET /  HTTP/1.1\r\n", .badVersion, 400),
        ("GET / HTTP/1.1 \r\n", .badVersion, 400),
        ("GET\t/\tHTTP/1.1\r\n", .badRequestLine, 400),
        ("\r\n\r\nGET / HTTP/1.1\r\n", .badRequestLine, 400),
        ("GET / HTTP/1.1\n\n", .bareLineFeed, 400),
        ("\nGET / HTTP/1.1\r\n", .bareLineFeed, 400),
        ("GET / HTTP/1\r\n", .badVersion, 400),
        ("GET / http/1.1\r\n", .badVersion, 400),
        ("GET / HTTP/1.10\r\n", .badVersion, 400),
        ("GET / HTTP/+1.1\r\n", .badVersion, 400),
        ("GET / HTTP/2.0\r\n", .unsupportedVersion, 505),
        ("GET / HTTP/1.2\r\n", .unsupportedVersion, 505),
        ("GET / HTTP/0.9\r\n", .unsupportedVersion, 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion, 505),
        ("G@T / HTTP/1.1\r\n", .badMethod, 400),
        ("G\0T / HTTP/1.1\r\n", .badMethod, 400),
        ("GET a HTTP/1.1\r\n", .badTarget, 400),
        ("GET * HTTP/1.1\r\n", .badTarget, 400),
        ("CONNECT a:80 HTTP/1.1\r\n", .badTarget, 400),
        ("GET /a#b HTTP/1.1\r\n", .badTarget, 400),
        ("GET /a\\b HTTP/1.1\r\n", .badTarget, 400),
        ("GET /\u{e9} HTTP/1.1\r\n", .badTarget, 400),
        ("GET /a\rb HTTP/1.1\r\n", .badTarget, 400),
        ("GET /a\0b HTTP/1.1\r\n", .badTarget, 400),
        ("GET /%4 HTTP/1.1\r\n", .badTarget, 400),
        ("GET /%zz HTTP/1.1\r\n", .badTarget, 400),
        ("GET /?%0 HTTP/1.1\r\n", .badTarget, 400),
        ("GET http:// HTTP/1.1\r\n", .badTarget, 400),
        ("GET http:///p HTTP/1.1\r\n", .badTarget, 400),
        ("GET http://u@a/ HTTP/1.1\r\n", .badTarget, 400),
        ("GET ftp://a/ HTTP/1.1\r\n", .badTarget, 400),
        ("GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\n", .requestLineTooLong, 414),
        // Fields
        (get("Host: a\nX: y\r\n"), .bareLineFeed, 400),
        (get("Host: a\rX: y\r\n"), .controlCharacter, 400),
        (get("\(host)X: a\rb\r\n"), .controlCharacter, 400),
        (get("\(host)X: a\0b\r\n"), .controlCharacter, 400),
        (get("\(host)X: a\u{7f}\r\n"), .controlCharacter, 400),
        (get("\(host)X\r\n"), .fieldWithoutColon, 400),
        (get("\(host): x\r\n"), .badFieldName, 400),
        (get("\(host)X(: x\r\n"), .badFieldName, 400),
        (get("\(host)X\0: x\r\n"), .badFieldName, 400),
        (get("\(host)\u{e9}: x\r\n"), .badFieldName, 400),
        (get("\(host)X : x\r\n"), .spaceBeforeColon, 400),
        (get("\(host)X\t: x\r\n"), .spaceBeforeColon, 400),
        (get("\(host)X y: x\r\n"), .spaceBeforeColon, 400),
        (get("\(host)X: a\r\n b\r\n"), .foldedField, 400),
        (get("\(host)X: a\r\n\tb\r\n"), .foldedField, 400),
        (get(" \(host)"), .foldedField, 400),
        (get("\(host)X: \(String(repeating: "a", count: 16384))\r\n"), .headersTooLarge, 431),
        (get(host + String(repeating: "X: y\r\n", count: 100)), .tooManyHeaders, 431),
        // Host
        (get(""), .missingHost, 400),
        (get("X: y\r\n"), .missingHost, 400),
        (get("\(host)\(host)"), .duplicateHost, 400),
        ("GET / HTTP/1.0\r\n\(host)\(host)\r\n", .duplicateHost, 400),
        (get("Host: a b\r\n"), .badHost, 400),
        (get("Host: a/b\r\n"), .badHost, 400),
        (get("Host: u@a\r\n"), .badHost, 400),
        (get("Host: \u{e9}\r\n"), .badHost, 400),
        ("GET http://b/ HTTP/1.1\r\n\(host)\r\n", .hostMismatch, 400),
        // Lengths, and what smuggles requests
        (post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), .duplicateLength, 400),
        (post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), .duplicateLength, 400),
        (post("Content-Length: 1, 1\r\n", "a"), .badLength, 400),
        (post("Content-Length: +1\r\n", "a"), .badLength, 400),
        (post("Content-Length: -1\r\n", "a"), .badLength, 400),
        (post("Content-Length: 0x1\r\n", "a"), .badLength, 400),
        (post("Content-Length: 1 1\r\n", "a"), .badLength, 400),
        (post("Content-Length: 1_0\r\n", "a"), .badLength, 400),
        (post("Content-Length:\r\n", "a"), .badLength, 400),
        (post("Content-Length: 16777217\r\n"), .bodyTooLarge, 413),
        (post("Content-Length: 18446744073709551617\r\n"), .bodyTooLarge, 413),
        (post("Content-Length: \(String(repeating: "9", count: 5000))\r\n"), .bodyTooLarge, 413),
        (post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), .lengthWithTransferEncoding, 400),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), .lengthWithTransferEncoding, 400),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .duplicateTransferEncoding, 400),
        (post("Transfer-Encoding: chunked, chunked\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: chunked, gzip\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: chunked, identity\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding:\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: ,chunked\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: chunked;a=b\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: \"chunked\"\r\n"), .badTransferEncoding, 400),
        (post("Transfer-Encoding: \u{b}chunked\r\n"), .controlCharacter, 400),
        (post("Transfer-Encoding : chunked\r\n"), .spaceBeforeColon, 400),
        (post("Transfer-Encoding: gzip, chunked\r\n"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: gzip\r\n"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: identity\r\n"), .unknownTransferCoding, 501),
        (post("Transfer-Encoding: xchunked\r\n"), .unknownTransferCoding, 501),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInOldVersion, 400),
        (post("Expect: 200-ok\r\nContent-Length: 1\r\n"), .unknownExpectation, 417),
        // Sent twice where one of the two would be believed
        (post("Content-Type: a/b\r\nContent-Type: a/b\r\n"), .duplicateField, 400),
        (post("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n"), .duplicateField, 400),
        (post("Authorization: a\r\nAuthorization: b\r\n"), .duplicateField, 400),
        (post("Idempotency-Key: a\r\nidempotency-key: b\r\n"), .duplicateField, 400),
        (post("X-Forebay-Order-Key: a\r\nX-Forebay-Order-Key: a\r\n"), .duplicateField, 400),
        // Chunks
        (chunks("\r\n"), .badChunkSize, 400),
        (chunks(" 1\r\na\r\n0\r\n\r\n"), .badChunkSize, 400),
        (chunks("1 \r\na\r\n0\r\n\r\n"), .badChunkSize, 400),
        (chunks("+1\r\na\r\n0\r\n\r\n"), .badChunkSize, 400),
        (chunks("0x1\r\na\r\n0\r\n\r\n"), .badChunkSize, 400),
        (chunks("g\r\n"), .badChunkSize, 400),
        (chunks("1\na\r\n0\r\n\r\n"), .badChunkSize, 400),
        (chunks("1\ra\r\n"), .badChunkSize, 400),
        (chunks("1000001\r\n"), .bodyTooLarge, 413),
        (chunks("ffffffffffffffffffff\r\n"), .bodyTooLarge, 413),
        (chunks("1\r\na\r\nFFFFFF\(String(repeating: "f", count: 100))\r\n"), .bodyTooLarge, 413),
        (chunks("1;\r\n"), .badChunkExtension, 400),
        (chunks("1;a=\r\n"), .badChunkExtension, 400),
        (chunks("1; a=b\r\n"), .badChunkExtension, 400),
        (chunks("1;a=\"b\r\n"), .badChunkExtension, 400),
        (chunks("1;a=\"b\\\r\n"), .badChunkExtension, 400),
        (chunks("1;a\u{1}\r\n"), .badChunkExtension, 400),
        (chunks("1;a\rb\r\n"), .badChunkExtension, 400),
        (chunks("1;a\n"), .badChunkSize, 400),
        (chunks("1;\(String(repeating: "a", count: 300))\r\n"), .chunkLineTooLong, 400),
        (
            chunks(String(repeating: "1;\(String(repeating: "a", count: 200))\r\nb\r\n", count: 21)),
            .chunkExtensionsTooLarge, 400
        ),
        (chunks("1\r\nab\r\n"), .badChunkEnd, 400),
        (chunks("1\r\na\n"), .badChunkEnd, 400),
        (chunks("1\r\na\rb"), .badChunkEnd, 400),
        (chunks("0\r\nX\r\n\r\n"), .fieldWithoutColon, 400),
        (chunks("0\r\n X: y\r\n\r\n"), .foldedField, 400),
        (chunks("0\r\nX: y\n\r\n"), .bareLineFeed, 400),
        (chunks("0\r\nX: \(String(repeating: "a", count: 16384))\r\n"), .trailersTooLarge, 431),
        (chunks("0\r\n" + String(repeating: "X: y\r\n", count: 101)), .tooManyTrailers, 431),
    ]

    /// Short enough to be cut at every byte.
    static var inputs: [String] { table.map(\.input).filter { $0.utf8.count < 300 } }

    @Test(arguments: table.indices)
    func theFault(_ row: Int) {
        let (input, fault, status) = Self.table[row]
        let found = ParserRun.fault(in: input)
        #expect(found == fault, "\(input.prefix(200).debugDescription)")
        #expect(fault.status == status)
    }

    @Test func everyFaultHasItsRow() {
        let covered = Set(Self.table.map(\.fault))
        #expect(HTTPFault.allCases.filter { !covered.contains($0) } == [])
        #expect(HTTPFault.allCases.allSatisfy { !$0.detail.isEmpty })
    }
}
