import Instruments
import Records
import Testing

@testable import IngestServer

/// What the queue says, as HTTP says it: each outcome with its status, its Retry-After and its document; keys, order
/// and waits.
@Suite struct HTTPOutcomeTests {
    private static let receipt = "00112233-4455-4677-8899-aabbccddeeff"

    @Test(
        arguments: [
            (
                .full, 503, "10",
                #"{"type":"urn:forebay:problem:full","title":"Unavailable","status":503,"detail":"The disk budget of the queue is used up; nothing of this request was stored."}"#
            ),
            (
                .overloaded, 503, "1",
                #"{"type":"urn:forebay:problem:overloaded","title":"Unavailable","status":503,"detail":"More is waiting to be written than the proxy holds in memory; nothing of this request was stored."}"#
            ),
            (
                .closing, 503, "1",
                #"{"type":"urn:forebay:problem:closing","title":"Unavailable","status":503,"detail":"The proxy is shutting down; nothing of this request was stored."}"#
            ),
            (
                .failed(reason: "fdatasync: EIO"), 503, "1",
                #"{"type":"urn:forebay:problem:write-failed","title":"Unavailable","status":503,"detail":"The events could not be made durable (fdatasync: EIO); they may or may not be stored. Send them again, with the same Idempotency-Key if there was one."}"#
            ),
            (
                .keyReused, 422, nil,
                #"{"type":"urn:forebay:problem:key-reused","title":"Idempotency key reused","status":422,"detail":"The Idempotency-Key came before with another body; a repeated request needs the same body, another one another key."}"#
            ),
        ] as [(AppendOutcome, Int, String?, String)]
    )
    func anOutcome(_ outcome: AppendOutcome, _ status: Int, _ retryAfter: String?, _ document: String) async throws {
        try await RunningServer.run { running in
            running.backend.script(outcome)
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#))
            let response = try await client.response()
            #expect(response.status == status)
            #expect(response.fields["retry-after"] == retryAfter)
            #expect(response.fields["content-type"] == "application/problem+json")
            #expect(response.body == document)
            // The connection is as good as before.
            try client.send(RunningServer.post(#"{"id":1}"#))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aRepeatSaysSo() async throws {
        try await RunningServer.run { running in
            let position = Position(queue: ScriptedBackend.queue, lane: LaneID(3), offset: Offset(77))
            running.backend.script(.durable(last: position, count: 5, repeated: true))
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#, fields: "Idempotency-Key: k\r\n"))
            #expect(
                try await client.response().body
                    == #"{"accepted":5,"receipt":"\#(Self.receipt).3.77","repeated":true}"#
            )
            #expect(running.server.instruments.eventsAccepted.value == 0)
        }
    }

    @Test func aFullQueueIsToldBeforeTheBody() async throws {
        try await RunningServer.run { running in
            running.backend.intakeNow = .full
            let client = try running.http()
            try client.send(
                "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(try await client.response().status == 503)
        }
    }

    @Test func aStreamThatIsNotReadyIsToBeTriedAgain() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(
                "POST /v1/ingest/\(ScriptedBackend.waitingStream) HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
            )
            let response = try await client.response()
            #expect(response.status == 503)
            #expect(response.fields["retry-after"] == "5")
            #expect(
                response.body
                    == #"{"type":"urn:forebay:problem:stream-not-ready","title":"Unavailable","status":503,"detail":"The stream \"waiting\" is not ready: its table has not been read yet; nothing of this request was stored."}"#
            )
        }
    }

    @Test func keysAreDigestsOfTheirScopeAndBodiesAreComparedInflated() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            for (key, body) in [("k", #"{"id":1}"#), ("k", #"{"id":1}"#), ("l", #"{"id":1}"#), ("k", #"{"id":2}"#)] {
                try client.send(RunningServer.post(body, fields: "Idempotency-Key: \(key)\r\n"))
                #expect(try await client.response().status == 200)
            }
            let keyed = running.backend.appended.compactMap(\.keyed)
            #expect(keyed.count == 4)
            #expect(keyed[0] == keyed[1])
            #expect(keyed[0].key != keyed[2].key && keyed[0].bodyDigest == keyed[2].bodyDigest)
            #expect(keyed[0].key == keyed[3].key && keyed[0].bodyDigest != keyed[3].bodyDigest)
            // sha256sum of {"id":1}
            #expect(keyed[0].bodyDigest == 0x037C_9214_EEF7_4CC3)
        }
    }

    @Test func keysOfTwoTokensNeverMeet() async throws {
        try await RunningServer.run { running in
            running.backend.require(["a": Identity(name: "a"), "b": Identity(name: "b")])
            let client = try running.http()
            for token in ["a", "b"] {
                try client.send(
                    RunningServer.post(#"{"id":1}"#, fields: "Authorization: Bearer \(token)\r\nIdempotency-Key: k\r\n")
                )
                #expect(try await client.response().status == 200)
            }
            let keys = running.backend.appended.compactMap(\.keyed?.key)
            #expect(keys.count == 2 && keys[0] != keys[1])
        }
    }

    @Test func anOrderKeyPicksTheLane() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            for key in ["X-Forebay-Order-Key: a\r\n", "X-Forebay-Order-Key: a\r\n", ""] {
                try client.send(RunningServer.post(#"{"id":1}"#, fields: key))
                #expect(try await client.response().status == 200)
            }
            let lanes = running.backend.appended.map(\.lane)
            #expect(lanes[0] == lanes[1])
            if case .ordered = lanes[0] {} else { Issue.record("an order key has to pick the lane") }
            if case .any = lanes[2] {} else { Issue.record("without an order key any lane will do") }
        }
    }

    @Test func anAnswerIsHeldUntilTheWatermarkPasses() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#, query: "?wait=committed"))
            await running.backend.waitForWaits(1)
            #expect(running.backend.waits[0].level == .committed)
            #expect(running.backend.waits[0].position.description == "\(Self.receipt).0.1")
            running.backend.endWaits(.reached)
            #expect(try await client.response().body == #"{"accepted":1,"receipt":"\#(Self.receipt).0.1"}"#)
        }
    }

    @Test(arguments: [WaitOutcome.timedOut, .closing])
    func aWaitThatEndsInVainStillSaysThatTheEventsAreDurable(_ outcome: WaitOutcome) async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#, query: "?wait=committed&on_error=refuse"))
            await running.backend.waitForWaits(1)
            running.backend.endWaits(outcome)
            let response = try await client.response()
            #expect(response.status == 202)
            #expect(response.body == #"{"accepted":1,"receipt":"\#(Self.receipt).0.1","waited":"durable"}"#)
        }
    }

    /// No Content-Type, as a page can send it without asking first.
    @Test(arguments: ["http://a.example", "null"])
    func aWebPageNeedsAToken(_ origin: String) async throws {
        try await RunningServer.run { running in
            let page = try running.http()
            try page.send(RunningServer.post(#"{"id":1}"#, fields: "Origin: \(origin)\r\n"))
            let refusal = try await page.response()
            #expect(refusal.status == 403)
            #expect(refusal.body.hasPrefix(#"{"type":"urn:forebay:problem:forbidden","#))
            #expect(running.backend.appended.isEmpty)
            let fields = "Origin: \(origin)\r\nAuthorization: Bearer secret\r\n"
            try page.send(RunningServer.post(#"{"id":1}"#, fields: fields))
            #expect(try await page.response().status == 200)
        }
    }

    @Test func tokensAndStreams() async throws {
        try await RunningServer.run { running in
            running.backend.require(["secret": Identity(name: "agent")], forbidding: ["other"])
            let client = try running.http()
            func post(_ stream: String, _ authorization: String) async throws -> LoopbackClient.Response {
                try client.send(
                    "POST /v1/ingest/\(stream) HTTP/1.1\r\nHost: a\r\n\(authorization)Content-Length: 8\r\n\r\n{\"id\":1}"
                )
                return try await client.response()
            }
            #expect(try await post("events", "Authorization: bearer  secret\r\n").status == 200)
            #expect(try await post("events", "").fields["www-authenticate"] == "Bearer")
            #expect(try await post("events", "Authorization: Bearer other\r\n").status == 401)
            #expect(try await post("events", "Authorization: Basic secret\r\n").status == 401)
            #expect(try await post("events", "Authorization: Bearer\r\n").status == 401)
            #expect(try await post("other", "Authorization: Bearer secret\r\n").status == 403)
            // Whether there is such a stream is nobody's business without a token.
            #expect(try await post("unknown", "").status == 401)
            #expect(try await post("unknown", "Authorization: Bearer secret\r\n").status == 404)
        }
    }
}
