import AgentKit
import Testing

/// Method: answers cut at every byte must come out the same; what is not an answer has its fault.
struct ResponseParserTests {
    private func parse(_ text: String, cutAt cut: Int? = nil) throws -> [ResponseParser.Response] {
        var parser = ResponseParser()
        var responses: [ResponseParser.Response] = []
        let bytes = Array(text.utf8)
        let middle = cut ?? bytes.count
        for part in [bytes[..<middle], bytes[middle...]] {
            try Array(part).withUnsafeBytes { all in
                var rest = all
                while let response = try parser.next(from: &rest) { responses.append(response) }
                #expect(rest.isEmpty)
            }
        }
        return responses
    }

    @Test func readsAnswersCutAnywhere() throws {
        let text =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length:  5 \r\n\r\n{\r\n\r\n"
            + "HTTP/1.1 503\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n"
            + "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\nContent-Length: 3\n\nabc"
        for cut in 0...text.utf8.count {
            let responses = try parse(text, cutAt: cut)
            #expect(responses.map(\.status) == [200, 503, 204, 404])
            #expect(responses.map(\.closes) == [false, true, false, false])
        }
    }

    @Test func anIncompleteAnswerIsNone() throws {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd"
        for end in 0...text.utf8.count {
            #expect(try parse(String(decoding: Array(text.utf8)[..<end], as: UTF8.self)).isEmpty)
        }
    }

    @Test(arguments: [
        ("HTTP/2 200 OK\r\n", ResponseParser.Fault.badStatusLine),
        ("HTTP/1.1 20x OK\r\n", .badStatusLine),
        ("HTTP/1.1 2000\r\n", .badStatusLine),
        ("HTTP/1.1 099 No\r\n", .badStatusLine),
        ("\r\n", .badStatusLine),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n", .badLength),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .noLength),
    ])
    func refuses(_ text: String, _ fault: ResponseParser.Fault) {
        #expect(throws: fault) { try parse(text) }
    }

    @Test func boundsALine() {
        #expect(throws: ResponseParser.Fault.lineTooLong) {
            try parse("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 9000))
        }
    }

    @Test func readsLineAnswersCutAnywhere() throws {
        let refusal = "{\"error\":{\"line\":4,\"lines\":2,\"retry\":false,\"reason\":\"bad\"}}"
        let text = "{\"ok\":12,\"receipt\":\"r\"}\n{\"ok\":3,\"repeated\":true}\n\(refusal)\n{\"ok\":}\n{\"ok\":1"
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var parser = LineAnswerParser()
            var answers: [LineAnswerParser.Answer] = []
            for part in [bytes[..<cut], bytes[cut...]] {
                try Array(part).withUnsafeBytes { all in
                    var rest = all
                    while let answer = try parser.next(from: &rest) { answers.append(answer) }
                }
            }
            #expect(
                answers == [
                    .acknowledged(lines: 12, repeated: false), .acknowledged(lines: 3, repeated: true),
                    .refused(lines: 2, retry: false, reason: "bad"),
                    .refused(lines: 0, retry: true, reason: "{\"ok\":}"),
                ]
            )
        }
    }
}
