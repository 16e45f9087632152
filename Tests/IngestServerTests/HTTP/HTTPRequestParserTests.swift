import Testing

@testable import IngestServer

/// Framing. Method: each message is a text with a transcript that was worked out from RFC 9112 by hand; the last test
/// sends every message of this file and every fault of the table in all ways to cut it into two portions, and byte by
/// byte.
@Suite struct HTTPRequestParserTests {
    static let plain = "POST /v1/ingest/a?wait=durable HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r\nhello"
    static let chunked =
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x=\"a;\\\"b\";y\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
    static let fields =
        "POST /f HTTP/1.1\r\nHOST:a\r\ncontent-TYPE: \t application/json \t\r\nContent-Encoding: gzip\r\n"
        + "Authorization: Bearer t\r\nIdempotency-Key: k\r\nX-Forebay-Order-Key: o\r\nX-Other:\r\nExpect: 100-Continue\r\n"
        + "Connection: foo, close\r\nContent-Length: 1\r\n\r\nx"

    @Test func aRequestWithALength() {
        #expect(
            ParserRun.transcript(of: Self.plain) == [
                "post /v1/ingest/a?wait=durable 1.1 length(5) keep", "body hello",
            ]
        )
    }

    @Test func chunksWithExtensionsAndTrailers() {
        #expect(ParserRun.transcript(of: Self.chunked) == ["post /c 1.1 chunked keep", "body abc0123456789"])
    }

    @Test func namesAreFoundInAnyCaseAndValuesAreTrimmed() {
        #expect(
            ParserRun.transcript(of: Self.fields) == [
                "post /f 1.1 length(1) close expects type=application/json coding=gzip auth=Bearer t key=k order=o",
                "body x",
            ]
        )
    }

    @Test func requestsBehindOneAnother() {
        let get = "GET /g HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(
            ParserRun.transcript(of: Self.plain + get + Self.chunked + "\r\n" + get)
                == ParserRun.transcript(of: Self.plain) + ["get /g 1.1 none keep", "body "]
                + ParserRun.transcript(of: Self.chunked) + ["get /g 1.1 none keep", "body "]
        )
    }

    @Test(arguments: [
        ("GET / HTTP/1.0\r\n\r\n", "get / 1.0 none close"),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "get / 1.0 none keep"),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "get / 1.0 none close"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "get / 1.1 none keep"),
        ("GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", "get / 1.1 none close"),
        ("GET http://A.b:1/p?q HTTP/1.1\r\nHost: a.B:1\r\n\r\n", "get /p?q 1.1 none keep"),
        ("GET https://a?q HTTP/1.1\r\nHost: a\r\n\r\n", "get /?q 1.1 none keep"),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "get / 1.1 none keep"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "options * 1.1 none keep"),
        ("GET /%41~(a)?b=%7e/? HTTP/1.1\r\nHost: a\r\n\r\n", "get /%41~(a)?b=%7e/? 1.1 none keep"),
        ("REPORT / HTTP/1.1\r\nHost: a\r\n\r\n", "other / 1.1 none keep"),
        ("post / HTTP/1.1\r\nHost: a\r\n\r\n", "other / 1.1 none keep"),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", "put / 1.1 length(0) keep"),
        ("GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", "get / 1.0 length(0) close"),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n", "get / 1.1 none keep"),
    ])
    func theHead(_ text: String, _ head: String) {
        #expect(ParserRun.transcript(of: text) == [head, "body "])
    }

    @Test func aLimitIsTheLastSizeThatIsTaken() {
        var limits = HTTPLimits(requestLineBytes: 14, headerBytes: 13, headerCount: 1, bodyBytes: 3, chunkLineBytes: 4)
        let line = "GET / HTTP/1.1\r\n"
        #expect(ParserRun.fault(in: line + "Host: abc\r\n\r\n", limits: limits) == nil)
        #expect(ParserRun.fault(in: "GET /a HTTP/1.1\r\n", limits: limits) == .requestLineTooLong)
        #expect(ParserRun.fault(in: line + "Host: abcd\r\n\r\n", limits: limits) == .headersTooLarge)
        #expect(ParserRun.fault(in: line + "Host:\r\nX:\r\n\r\n", limits: limits) == .tooManyHeaders)
        limits.headerBytes = 1000
        limits.headerCount = 10
        let length = line + "Host:\r\nContent-Length: "
        #expect(ParserRun.fault(in: length + "3\r\n\r\nabc", limits: limits) == nil)
        #expect(ParserRun.fault(in: length + "4\r\n\r\n", limits: limits) == .bodyTooLarge)
        let chunks = line + "Host:\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(ParserRun.fault(in: chunks + "0002\r\nab\r\n1\r\nc\r\n0\r\n\r\n", limits: limits) == nil)
        #expect(ParserRun.fault(in: chunks + "2\r\nab\r\n2\r\n", limits: limits) == .bodyTooLarge)
        #expect(ParserRun.fault(in: chunks + "00002\r\n", limits: limits) == .chunkLineTooLong)
        limits.chunkExtensionBytes = 3
        #expect(ParserRun.fault(in: chunks + "1;a\r\na\r\n1;\r\n", limits: limits) == .badChunkExtension)
        #expect(ParserRun.fault(in: chunks + "1;a\r\na\r\n1;b\r\n", limits: limits) == .chunkExtensionsTooLarge)
        limits.headerCount = 3
        #expect(ParserRun.fault(in: chunks + "0\r\nA:\r\nB:\r\nC:\r\n\r\n", limits: limits) == nil)
        #expect(ParserRun.fault(in: chunks + "0\r\nA:\r\nB:\r\nC:\r\nD:\r\n", limits: limits) == .tooManyTrailers)
        limits.headerBytes = 60
        let trailer = "A: " + String(repeating: "a", count: 30) + "\r\n"
        #expect(ParserRun.fault(in: chunks + "0\r\n" + trailer + trailer, limits: limits) == .trailersTooLarge)
    }

    @Test func howTheBytesAreCutChangesNothing() {
        let get = "GET /g HTTP/1.1\r\nHost: a\r\n\r\n"
        let messages =
            [Self.plain + get, Self.chunked + get, Self.fields, "\r\n" + get + "\r\n" + get] + HTTPFaultTests.inputs
        for message in messages {
            let bytes = Array(message.utf8)
            let whole = ParserRun.transcript(of: message)
            for cut in 0...bytes.count {
                var run = ParserRun()
                run.feed(bytes[..<cut])
                run.feed(bytes[cut...])
                #expect(run.transcript == whole, "cut at \(cut): \(message.debugDescription)")
            }
            var run = ParserRun()
            for byte in bytes { run.feed([byte]) }
            #expect(run.transcript == whole, "byte by byte: \(message.debugDescription)")
        }
    }

    @Test func theLimitsHoldHoweverTheBytesAreCut() {
        let limits = HTTPLimits(requestLineBytes: 14, headerBytes: 40, headerCount: 2, bodyBytes: 8, chunkLineBytes: 4)
        let line = "GET / HTTP/1.1\r\n"
        let chunks = line + "Host:\r\nTransfer-Encoding: chunked\r\n\r\n"
        for message in [
            "GET /abc HTTP/1.1\r\n", "GET / HTTP/1.1 \n", line + "Host: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
            line + "Host: a\r\nB:\r\nC:\r\n\r\n", chunks + "00000001\r\n", chunks + "0001\n", chunks + "9\r\n",
            line + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        ] {
            let bytes = Array(message.utf8)
            let whole = ParserRun.transcript(of: message, limits: limits)
            #expect(whole.last?.hasPrefix("fault") == true)
            for cut in 0...bytes.count {
                var run = ParserRun(limits: limits)
                run.feed(bytes[..<cut])
                run.feed(bytes[cut...])
                #expect(run.transcript == whole, "cut at \(cut): \(message.debugDescription)")
            }
        }
    }

    @Test func anUnendingLineIsRefusedAtItsLimitAndNotBefore() {
        var run = ParserRun(limits: HTTPLimits(requestLineBytes: 100))
        run.feed(repeatElement(UInt8(ascii: "A"), count: 101))
        #expect(run.fault == nil)
        run.feed([UInt8(ascii: "A")])
        #expect(run.fault == .requestLineTooLong)
    }

    @Test func nothingIsConsumedAfterAFault() {
        var parser = HTTPRequestParser(limits: HTTPLimits())
        let bytes = Array("GET  / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        for _ in 0..<3 { #expect(bytes.withUnsafeBytes { parser.next($0) } == .failed(.badRequestLine)) }
    }
}
