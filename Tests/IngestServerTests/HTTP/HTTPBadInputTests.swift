import Instruments
import Records
import Testing

@testable import IngestServer

/// The list of bad input that ingest has to show, each over a real connection with its exact answer, and nothing
/// accepted.
@Suite struct HTTPBadInputTests {
    /// One event that is none, and how the answer tells of it.
    struct BadEvent: CustomTestStringConvertible {
        /// U+00FF stands for the byte FF, which is no UTF-8.
        var body: String
        /// `event n` with its column or field, as the detail names it.
        var place: String
        /// The same place as members of the error.
        var members: String
        var byte: Int
        var reason: String
        var found: String
        var expected: String

        init(
            _ body: String,
            _ place: String,
            _ members: String,
            _ byte: Int,
            _ reason: String,
            _ found: String,
            _ expected: String
        ) {
            self.body = body
            self.place = place
            self.members = members
            self.byte = byte
            self.reason = reason
            self.found = found
            self.expected = expected
        }

        var testDescription: String { String(body.prefix(40)) }

        /// `found` is given as it stands inside a JSON string.
        var document: String {
            #"{"type":"urn:forebay:problem:bad-events","title":"Bad events","status":400,"#
                + #""detail":"\#(place), byte \#(byte): found \#(found), expected \#(expected). Nothing was accepted.","#
                + #""refused":1,"errors":[{\#(members),"byte":\#(byte),"reason":"\#(reason)","#
                + #""found":"\#(found)","expected":"\#(expected)"}]}"#
        }
    }

    private static let id = #", column \"id\""#
    private static let name = #", column \"name\""#

    static let badEvents = [
        BadEvent(
            #"{"id":1,}"#,
            "event 0",
            #""index":0"#,
            8,
            "malformed",
            "}",
            "a field's name in quotes"
        ),
        BadEvent("not json", "event 0", #""index":0"#, 0, "malformed", "not", "an object"),
        BadEvent(
            #"{"id":1"#,
            "event 0",
            #""index":0"#,
            7,
            "malformed",
            "the end of the body",
            "a comma or a closing brace"
        ),
        BadEvent(
            #"[{"id":1},"#,
            "event 1",
            #""index":1"#,
            10,
            "malformed",
            "the end of the body",
            "a JSON value"
        ),
        BadEvent(
            #"[{"id":1},{"id":"x"}]"#,
            "event 1\(id)",
            #""index":1,"column":"id""#,
            16,
            "badValue",
            #"\"x\""#,
            "a whole number"
        ),
        BadEvent(
            #"{"id":1,"name":7}"#,
            "event 0\(name)",
            #""index":0,"column":"name""#,
            15,
            "wrongType",
            "7",
            "a string"
        ),
        BadEvent(
            #"{"id":2147483648}"#,
            "event 0\(id)",
            #""index":0,"column":"id""#,
            6,
            "outOfRange",
            "2147483648",
            "a whole number from -2147483648 to 2147483647"
        ),
        BadEvent(
            #"{"id":\#(String(repeating: "9", count: 5_000))}"#,
            "event 0\(id)",
            #""index":0,"column":"id""#,
            6,
            "outOfRange",
            "9999999999999999999999999999999999999…",
            "a whole number from -2147483648 to 2147483647"
        ),
        BadEvent(
            "{\"id\":1,\"name\":\"a\u{ff}b\"}",
            "event 0\(name)",
            #""index":0,"column":"name""#,
            17,
            "invalidUTF8",
            #"\\xffb"#,
            "UTF-8"
        ),
        BadEvent(
            #"{"id":1,"name":"a\u0000b"}"#,
            "event 0\(name)",
            #""index":0,"column":"name""#,
            17,
            "nul",
            #"\\u0000b"#,
            "no U+0000, which PostgreSQL can't store"
        ),
        BadEvent(
            #"{"id":1,"colour":"red"}"#,
            #"event 0, field \"colour\""#,
            #""index":0,"field":"colour""#,
            9,
            "unknownField",
            "colour",
            "a column of the stream"
        ),
        BadEvent(
            #"{"id":null}"#,
            "event 0\(id)",
            #""index":0,"column":"id""#,
            6,
            "null",
            "null",
            "a value: the column is not null"
        ),
        BadEvent(
            #"{"name":"a"}"#,
            "event 0\(id)",
            #""index":0,"column":"id""#,
            0,
            "null",
            "no such field",
            "a value: the column is not null and has no default"
        ),
        BadEvent(
            #"{"id":1,"at":"yesterday"}"#,
            #"event 0, column \"at\""#,
            #""index":0,"column":"at""#,
            13,
            "badValue",
            #"\"yesterday\""#,
            "a time with its zone (RFC 3339) or Unix time"
        ),
        BadEvent(
            #"{"id":1,"tags":\#(String(repeating: "[", count: 10_000))"#,
            #"event 0, column \"tags\""#,
            #""index":0,"column":"tags""#,
            78,
            "tooDeep",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…",
            "at most 64 levels of nesting"
        ),
    ]

    @Test(arguments: badEvents)
    func anEventThatIsNone(_ bad: BadEvent) async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let bytes = bad.body.unicodeScalars.map { UInt8($0.value) }
            try client.send("POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: \(bytes.count)\r\n\r\n")
            try client.send(bytes)
            let response = try await client.response()
            #expect(response.status == 400)
            #expect(response.fields["content-type"] == "application/problem+json")
            #expect(response.body == bad.document)
            #expect(running.backend.appended.isEmpty)
            #expect(running.server.instruments.inFlightBytes.value == 0)
            #expect(running.server.instruments.eventsRefused.value == 1)
            // The connection is as good as before.
            try client.send(RunningServer.post(#"{"id":1}"#))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func goodEventsAreKeptAndBadOnesListedWhereThatIsAskedFor() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"[{"id":1},{"id":"x"},{"id":3}]"#, query: "?on_error=skip"))
            #expect(
                try await client.response().body
                    == #"{"accepted":2,"receipt":"00112233-4455-4677-8899-aabbccddeeff.0.2","refused":1,"#
                    + #""errors":[{"index":1,"column":"id","byte":16,"reason":"badValue","found":"\"x\"","#
                    + #""expected":"a whole number"}]}"#
            )
            try client.send(RunningServer.post(#"{"id":"x"}"#, query: "?on_error=skip"))
            #expect(try await client.response().body.hasPrefix(#"{"accepted":0,"refused":1,"errors":[{"index":0"#))
            // Where the structure breaks, nobody can list what was refused.
            try client.send(RunningServer.post(#"[{"id":1},{"id":2}"#, query: "?on_error=skip"))
            #expect(try await client.response().status == 400)
            #expect(running.backend.rowCount == 2)
        }
    }

    /// Requests that are refused for something besides their events: fields and body, status, and the document.
    @Test(arguments: [
        (
            "/v1/ingest/events", "Content-Type: application/x-www-form-urlencoded\r\n", #"{"id":1}"#, 415,
            #"{"type":"urn:forebay:problem:unsupported-type","title":"Unsupported media type","status":415,"detail":"Content-Type is \"application/x-www-form-urlencoded\"; application/json or application/x-ndjson, in UTF-8, is expected."}"#
        ),
        (
            "/v1/ingest/events", "Content-Type: application/json; charset=latin1\r\n", #"{"id":1}"#, 415,
            #"{"type":"urn:forebay:problem:unsupported-type","title":"Unsupported media type","status":415,"detail":"Content-Type is \"application/json; charset=latin1\"; application/json or application/x-ndjson, in UTF-8, is expected."}"#
        ),
        (
            "/v1/ingest/events", "Content-Encoding: br\r\n", #"{"id":1}"#, 415,
            #"{"type":"urn:forebay:problem:unsupported-coding","title":"Unsupported content coding","status":415,"detail":"Content-Encoding is \"br\"; one of gzip, deflate, lz4 or identity is expected."}"#
        ),
        (
            "/v1/ingest/events", "Content-Encoding: gzip\r\n", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-coding","title":"Bad content coding","status":400,"detail":"Content-Encoding is gzip, but the compressed body is damaged at byte 2: incorrect header check."}"#
        ),
        (
            "/v1/ingest/nowhere", "", #"{"id":1}"#, 404,
            #"{"type":"urn:forebay:problem:unknown-stream","title":"Unknown stream","status":404,"detail":"There is no stream \"nowhere\". Streams are named in the configuration, under streams."}"#
        ),
        (
            "/v1/ingest/events", "Idempotency-Key: a b\r\n", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-idempotency-key","title":"Bad Idempotency-Key","status":400,"detail":"Idempotency-Key is 1 to 255 visible ASCII characters."}"#
        ),
        (
            "/v1/ingest/events?wait=replicated", "", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-query","title":"Bad query parameter","status":400,"detail":"wait=replicated can't be answered: this proxy follows no such watermark."}"#
        ),
        (
            "/v1/ingest/events?wait=soon", "", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-query","title":"Bad query parameter","status":400,"detail":"wait is durable, committed or replicated, not \"soon\"."}"#
        ),
        (
            "/v1/ingest/events?on_error=skip&on_error=skip", "", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-query","title":"Bad query parameter","status":400,"detail":"on_error is given twice."}"#
        ),
        (
            "/v1/ingest/events?onerror=skip", "", #"{"id":1}"#, 400,
            #"{"type":"urn:forebay:problem:bad-query","title":"Bad query parameter","status":400,"detail":"There is no parameter \"onerror\"; there are wait and on_error."}"#
        ),
    ])
    func aRequestThatIsRefused(
        _ target: String,
        _ fields: String,
        _ body: String,
        _ status: Int,
        _ document: String
    ) async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(
                "POST \(target) HTTP/1.1\r\nHost: a\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response.body == document)
            #expect(running.backend.appended.isEmpty)
        }
    }

    @Test func compressedBodiesAreTakenUpToTheLimitOfWhatComesOut() async throws {
        try await RunningServer.run(.loopback.with(\.maxInflatedBytes, 64)) { running in
            // gzip of {"id":7}, by gzip 1.12 without name and time.
            let gzip: [UInt8] = [
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 76, 81, 178, 50, 175, 5, 0, 67, 95, 7, 18, 8, 0, 0, 0,
            ]
            let client = try running.http()
            func post(_ body: [UInt8]) async throws -> LoopbackClient.Response {
                let head = "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n"
                try client.send(Array("\(head)Content-Length: \(body.count)\r\n\r\n".utf8) + body)
                return try await client.response()
            }
            #expect(
                try await post(gzip).body == #"{"accepted":1,"receipt":"00112233-4455-4677-8899-aabbccddeeff.0.1"}"#
            )
            #expect(
                try await post(Array(gzip.dropLast(4))).body
                    == #"{"type":"urn:forebay:problem:bad-coding","title":"Bad content coding","status":400,"detail":"Content-Encoding is gzip, but the compressed body ends before its end."}"#
            )
            // Nine members of eight bytes each.
            let bomb = Array(repeatElement(gzip, count: 9).joined())
            let response = try await post(bomb)
            #expect(response.status == 413)
            #expect(
                response.body
                    == #"{"type":"urn:forebay:problem:body-too-large","title":"Body too large","status":413,"detail":"The gzip body inflates to more than 64 bytes."}"#
            )
        }
    }

    @Test func aBodyThatIsAnnouncedTooLargeIsRefusedBeforeItIsSent() async throws {
        try await RunningServer.run(.loopback.with(\.maxBodyBytes, 10)) { running in
            let client = try running.http()
            try client.send("POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
            let response = try await client.response()
            #expect(response.status == 413)
            #expect(response.fields["connection"] == "close")
            #expect(
                response.body
                    == #"{"type":"urn:forebay:problem:body-too-large","title":"Body too large","status":413,"detail":"The body is larger than this server takes."}"#
            )
            // What the client sends all the same does not cost it the answer.
            try client.send("0123456789a")
            #expect(try await client.rest() == "")
        }
    }

    @Test func aBodyThatEndsEarlyIsRefused() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send("POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{\"id\":1}")
            client.endSending()
            let response = try await client.response()
            #expect(response.status == 400)
            #expect(
                response.body
                    == #"{"type":"urn:forebay:problem:truncated","title":"Truncated request","status":400,"detail":"The body ended after 8 of 9 bytes; nothing was accepted."}"#
            )
            #expect(try await client.rest() == "")
            #expect(running.backend.appended.isEmpty)
        }
    }

    @Test(arguments: ["POST /v1/in", "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\n"])
    func aHeadThatEndsEarlyIsRefused(_ beginning: String) async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(beginning)
            client.endSending()
            let response = try await client.response()
            #expect(response.status == 400)
            #expect(response.body.contains("The connection ended within the head of a request."))
            #expect(try await client.rest() == "")
        }
    }

    @Test func aFloodOfHeadersIsRefused() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(
                "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 100)
            )
            let response = try await client.response()
            #expect(response.status == 431)
            #expect(
                response.body
                    == #"{"type":"urn:forebay:problem:headers-too-large","title":"Headers too large","status":431,"detail":"The header section has more lines than this server takes."}"#
            )
            #expect(try await client.rest() == "")
        }
    }

    @Test func bytesThatAreNoRequestAreAnsweredAndTheConnectionEnds() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#) + "\u{16}\u{3}\u{1}\r\n")
            #expect(try await client.response().status == 200)
            let response = try await client.response()
            #expect(response.status == 400)
            #expect(response.fields["connection"] == "close")
            #expect(try await client.rest() == "")
        }
    }
}
