import Instruments
import Records
import Testing

@testable import IngestServer

/// Requests over a real connection against a scripted backend; every answer is compared whole.
@Suite struct HTTPIngestTests {
    private static let receipt = "00112233-4455-4677-8899-aabbccddeeff"

    @Test func anEventIsAcceptedWithItsReceipt() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#))
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(response.fields["content-type"] == "application/json")
            #expect(response.body == #"{"accepted":1,"receipt":"\#(Self.receipt).0.1"}"#)
            #expect(running.backend.rowCount == 1)
        }
    }

    @Test func arraysAndLinesAreAcceptedOnOneConnection() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"[{"id":1},{"id":2}]"#))
            #expect(try await client.response().body == #"{"accepted":2,"receipt":"\#(Self.receipt).0.2"}"#)
            try client.send(
                RunningServer.post("{\"id\":3}\n{\"id\":4}\n", fields: "Content-Type: application/x-ndjson\r\n")
            )
            #expect(try await client.response().body == #"{"accepted":2,"receipt":"\#(Self.receipt).0.4"}"#)
        }
    }

    @Test func aBodyInChunksOrPiecesIsTheSameBody() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let head = "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\n"
            try client.send(head + "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"id\r\n4\r\n\":1}\r\n0\r\n\r\n")
            #expect(try await client.response().body == #"{"accepted":1,"receipt":"\#(Self.receipt).0.1"}"#)
            for byte in Array((head + "Content-Length: 8\r\n\r\n{\"id\":2}").utf8) { try client.send([byte]) }
            #expect(try await client.response().body == #"{"accepted":1,"receipt":"\#(Self.receipt).0.2"}"#)
        }
    }

    @Test func aLargeBodyIsTaken() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let events = (0..<60_000).map { "{\"id\":\($0),\"name\":\"\(String(repeating: "n", count: 40))\"}" }
            try client.send(RunningServer.post("[\(events.joined(separator: ","))]"))
            #expect(try await client.response().body == #"{"accepted":60000,"receipt":"\#(Self.receipt).0.60000"}"#)
            #expect(running.server.instruments.inFlightBytes.value == 0)
        }
    }

    @Test func noEventsAreAcceptedWithoutAReceipt() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post("[]", fields: "Idempotency-Key: k\r\n"))
            #expect(try await client.response().body == #"{"accepted":0}"#)
            try client.send(RunningServer.post(""))
            #expect(try await client.response().body == #"{"accepted":0}"#)
            #expect(running.backend.appended.isEmpty)
        }
    }

    @Test func anOldClientIsServedAndTold() async throws {
        try await RunningServer.run { running in
            let kept = try running.http()
            let body = #"{"id":1}"#
            let head = "POST /v1/ingest/events HTTP/1.0\r\nContent-Length: \(body.utf8.count)\r\n"
            try kept.send(head + "Connection: keep-alive\r\n\r\n" + body)
            #expect(try await kept.response().fields["connection"] == "keep-alive")
            try kept.send(head + "\r\n" + body)
            #expect(try await kept.response().fields["connection"] == "close")
            #expect(try await kept.rest() == "")
        }
    }

    @Test func aClientThatAsksFirstIsToldToGoOn() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let head = "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n"
            try client.send(head)
            #expect(try await client.line() == "HTTP/1.1 100 Continue\r")
            #expect(try await client.line() == "\r")
            try client.send(#"{"id":1}"#)
            #expect(try await client.response().status == 200)
            // One that sends the body at once needs no 100.
            try client.send(head + #"{"id":2}"#)
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aClientThatAsksFirstGetsItsContinueAfterTheAnswersBefore() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.http()
            try client.send(
                RunningServer.post(#"{"id":1}"#)
                    + "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n"
            )
            await running.backend.waitForHeld(1)
            running.backend.releaseAll()
            #expect(try await client.response().status == 200)
            #expect(try await client.line() == "HTTP/1.1 100 Continue\r")
            #expect(try await client.line() == "\r")
            try client.send(#"{"id":2}"#)
            #expect(try await client.response().body.hasPrefix(#"{"accepted":1"#))
        }
    }

    @Test func aRefusalBeforeTheBodyEndsTheConnection() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(
                "POST /v1/ingest/nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n"
            )
            let response = try await client.response()
            #expect(response.status == 404)
            #expect(response.fields["connection"] == "close")
            #expect(try await client.rest() == "")
        }
    }

    @Test func theBodyOfARefusedRequestIsReadAndDropped() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let body = String(repeating: "x", count: 300_000)
            try client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n\(body)")
            #expect(try await client.response().status == 404)
            try client.send(RunningServer.post(#"{"id":1}"#))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func healthIsToldOnTheIngestPort() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.response().body == #"{"status":"accepting"}"#)
            try client.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try await client.response(hasBody: false)
            #expect(head.status == 200)
            #expect(head.fields["content-length"] == "22")
            running.backend.intakeNow = .full
            try client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.response().status == 503)
        }
    }

    @Test(
        arguments: [
            ("OPTIONS /v1/ingest/events", 204, "POST, OPTIONS"), ("OPTIONS *", 204, "GET, HEAD, POST, OPTIONS"),
            ("OPTIONS /healthz", 204, "GET, HEAD, OPTIONS"), ("GET /v1/ingest/events", 405, "POST, OPTIONS"),
            ("HEAD /v1/ingest/events", 405, "POST, OPTIONS"), ("DELETE /healthz", 405, "GET, HEAD, OPTIONS"),
            ("BREW /v1/ingest/events", 501, nil), ("GET /", 404, nil), ("POST /v1/ingest/", 404, nil),
            ("POST /v1/ingest/events/", 404, nil), ("POST /v1/ingest/a/b", 404, nil),
        ] as [(String, Int, String?)]
    )
    func otherMethodsAndPaths(_ line: String, _ status: Int, _ allow: String?) async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send("\(line) HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try await client.response(hasBody: !line.hasPrefix("HEAD"))
            #expect(response.status == status)
            #expect(response.fields["allow"] == allow)
            // The connection goes on.
            try client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aStreamNameMayBeEncoded() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(
                "POST /v1/ingest/%65vents HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n{\"id\":1}"
            )
            #expect(try await client.response().status == 200)
        }
    }
}
