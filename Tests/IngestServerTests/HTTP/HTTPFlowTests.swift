import Instruments
import NIOCore
import Records
import Testing

@testable import IngestServer

/// Time, order and memory: what happens when answers are not ready in order, senders are slow, or too much comes at
/// once. The script of the backend decides what happens before what; nothing here waits for a while and hopes.
@Suite struct HTTPFlowTests {
    @Test func answersComeInTheOrderOfTheRequests() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.http()
            let requests =
                (1...4).map { RunningServer.post("{\"id\":\($0)}", fields: "Idempotency-Key: \($0)\r\n") } + [
                    "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
                ]
            try client.send(requests.joined())
            await running.backend.waitForHeld(4)
            running.backend.release(3)
            running.backend.release(1)
            running.backend.release(0, 1)
            // Offsets were given in the order of release: 4, 2, 1, 3.
            for offset in [3, 2, 4, 1] {
                #expect(try await client.response().body.hasSuffix(".0.\(offset)\"}"))
            }
            #expect(try await client.response().body == #"{"status":"accepting"}"#)
        }
    }

    @Test func noMoreRequestsAreReadThanMayWait() async throws {
        try await RunningServer.run(.loopback.with(\.pipelineDepth, 2)) { running in
            running.backend.hold()
            let client = try running.http()
            try client.send((1...5).map { RunningServer.post("{\"id\":\($0)}") }.joined())
            await running.backend.waitForHeld(1)
            #expect(running.backend.rowCount == 2)
            running.backend.releaseAll()
            for offset in 1...5 { #expect(try await client.response().body.hasSuffix(".0.\(offset)\"}")) }
        }
    }

    @Test func aBurstOfRequestsThatAreAnsweredAtOnceIsAnsweredToItsEnd() async throws {
        try await RunningServer.run(.loopback.with(\.pipelineDepth, 2)) { running in
            let client = try running.http()
            try client.send(String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 500))
            client.endSending()
            for _ in 0..<500 { #expect(try await client.response().status == 200) }
            #expect(try await client.rest() == "")
        }
    }

    @Test func aBodyThatIsDroppedAndThenBreaksGetsNoSecondAnswer() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            #expect(try await client.response().status == 404)
            try client.send("x\r\n")
            #expect(try await client.rest() == "")
        }
    }

    @Test func aClientThatEndsWithinADroppedBodyIsLetGo() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na")
            #expect(try await client.response().status == 404)
            client.endSending()
            #expect(try await client.rest() == "")
        }
    }

    @Test func theLastRequestOfAConnectionEndsIt() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let last = RunningServer.post(#"{"id":2}"#, fields: "Connection: close\r\n")
            try client.send(RunningServer.post(#"{"id":1}"#) + last + RunningServer.post(#"{"id":3}"#))
            #expect(try await client.response().fields["connection"] == nil)
            #expect(try await client.response().fields["connection"] == "close")
            #expect(try await client.rest() == "")
            #expect(running.backend.rowCount == 2)
        }
    }

    @Test func aClientThatOnlyEndsItsSideGetsItsAnswers() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#) + RunningServer.post(#"{"id":2}"#))
            client.endSending()
            await running.backend.waitForHeld(1)
            running.backend.releaseAll()
            #expect(try await client.response().status == 200)
            #expect(try await client.response().status == 200)
            #expect(try await client.rest() == "")
        }
    }

    @Test func anAnswerForAConnectionThatIsGoneIsDropped() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            do {
                let client = try running.http()
                try client.send(RunningServer.post(#"{"id":1}"#))
                await running.backend.waitForHeld(1)
            }
            running.backend.releaseAll()
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":2}"#))
            #expect(try await client.response().body.hasSuffix(".0.2\"}"))
        }
    }

    // MARK: - Slow senders

    private static let quick = IngestConfiguration.loopback
        .with(\.sweepInterval, .milliseconds(5))
        .with(\.headerTimeout, .milliseconds(50))
        .with(\.bodyTimeout, .milliseconds(50))
        .with(\.idleTimeout, .milliseconds(50))
        .with(\.budgetTimeout, .milliseconds(50))

    private static let late =
        #"{"type":"urn:forebay:problem:request-timeout","title":"Request timeout","status":408,"detail":"The request did not arrive in time."}"#

    @Test(arguments: [
        "POST /v1/in", "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{\"id\"",
        "POST /v1/ingest/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
    ])
    func aRequestThatDoesNotComeToItsEndIsCutOff(_ beginning: String) async throws {
        try await RunningServer.run(Self.quick) { running in
            let client = try running.http()
            try client.send(beginning)
            let response = try await client.response()
            #expect(response.status == 408)
            #expect(response.fields["connection"] == "close")
            #expect(response.body == Self.late)
            #expect(try await client.rest() == "")
            #expect(running.server.instruments.inFlightBytes.value == 0)
            #expect(running.server.instruments.connectionsTimedOut.value == 1)
        }
    }

    @Test func aConnectionThatSaysNothingIsClosed() async throws {
        try await RunningServer.run(Self.quick) { running in
            #expect(try await running.http().rest() == "")
            let used = try running.http()
            try used.send(RunningServer.post(#"{"id":1}"#))
            #expect(try await used.response().status == 200)
            #expect(try await used.rest() == "")
        }
    }

    @Test func aRequestThatWaitsForTheQueueIsNotLate() async throws {
        try await RunningServer.run(Self.quick) { running in
            running.backend.hold()
            let patient = try running.http()
            try patient.send(RunningServer.post(#"{"id":1}"#))
            await running.backend.waitForHeld(1)
            // Another connection outlives all the limits of time meanwhile.
            #expect(try await running.http().rest() == "")
            running.backend.releaseAll()
            #expect(try await patient.response().status == 200)
        }
    }

    // MARK: - Memory

    @Test func aBodyWaitsForItsShareOfTheMemoryInTurn() async throws {
        // The turn is what is tested, not the time: on a busy machine nobody gives up first.
        let configuration = IngestConfiguration.loopback.with(\.inFlightBytes, 4000).with(
            \.budgetTimeout,
            .seconds(600)
        )
        try await RunningServer.run(configuration) { running in
            running.backend.hold()
            let body = #"{"id":1,"name":"\#(String(repeating: "n", count: 2000))"}"#
            let first = try running.http()
            try first.send(RunningServer.post(body))
            await running.backend.waitForHeld(1)
            let second = try running.http()
            try second.send(RunningServer.post(body))
            // The second can't be taken; a third that would fit has to let it go first.
            while running.server.instruments.budgetWaits.value < 1 { await Task.yield() }
            let third = try running.http()
            try third.send(RunningServer.post(#"{"id":3}"#))
            while running.server.instruments.budgetWaits.value < 2 { await Task.yield() }
            #expect(running.backend.appended.count == 1)
            running.backend.release(0)
            #expect(try await first.response().status == 200)
            await running.backend.waitForHeld(1)
            #expect(running.backend.appended.last?.batch.byteCount ?? 0 > 2000)
            running.backend.releaseAll()
            #expect(try await second.response().status == 200)
            #expect(try await third.response().status == 200)
            #expect(running.server.instruments.inFlightBytes.value == 0)
        }
    }

    @Test func aBodyThatGetsNoMemoryInTimeIsRefused() async throws {
        try await RunningServer.run(Self.quick.with(\.inFlightBytes, 3000).with(\.idleTimeout, .seconds(60))) {
            running in
            running.backend.hold()
            let body = #"{"id":1,"name":"\#(String(repeating: "n", count: 2000))"}"#
            let first = try running.http()
            try first.send(RunningServer.post(body))
            await running.backend.waitForHeld(1)
            let second = try running.http()
            try second.send(RunningServer.post(body))
            let response = try await second.response()
            #expect(response.status == 503)
            #expect(response.fields["retry-after"] == "1")
            #expect(response.fields["connection"] == "close")
            running.backend.releaseAll()
            #expect(try await first.response().status == 200)
        }
    }

    @Test func aSenderThatReadsNoAnswersIsReadNoFurther() async throws {
        try await RunningServer.run(.loopback.with(\.pipelineDepth, 1000)) { running in
            let client = try running.http()
            let requests = Array(repeatElement("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000).joined().utf8)
            var sent = 0
            // Ends because the kernel's buffers are bounded, if the server stops reading; else at the limit.
            while sent < 200_000_000 {
                let count = client.sendWithoutWaiting(requests)
                if count == 0 {
                    let before = running.server.instruments.bytesReceived.value
                    for _ in 0..<2000 { await Task.yield() }
                    if running.server.instruments.bytesReceived.value == before { break }
                }
                sent += count
            }
            #expect(sent < 200_000_000)
        }
    }

    @Test func aConnectionTooManyIsToldSo() async throws {
        try await RunningServer.run(.loopback.with(\.maxConnections, 1)) { running in
            let first = try running.http()
            try first.send(RunningServer.post(#"{"id":1}"#))
            #expect(try await first.response().status == 200)
            let second = try running.http()
            let response = try await second.response()
            #expect(response.status == 503)
            #expect(response.fields["retry-after"] == "1")
            #expect(response.fields["connection"] == "close")
            #expect(try await second.rest() == "")
            #expect(running.server.instruments.connectionsRefused.value == 1)
        }
    }

    // MARK: - The end

    @Test func aShutdownAnswersWhatWasBegun() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let waiting = try running.http()
            try waiting.send(RunningServer.post(#"{"id":1}"#))
            let sending = try running.http()
            let request = RunningServer.post(#"{"id":2}"#)
            try sending.send(String(request.dropLast(3)))
            while running.server.instruments.bytesReceived.value < 2 * request.utf8.count - 3 { await Task.yield() }
            let idle = try running.http()
            try idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await idle.response().status == 200)
            await running.backend.waitForHeld(1)

            async let end: Void = running.server.shutdown(grace: .seconds(60))
            #expect(try await idle.rest() == "")
            try sending.send(String(request.suffix(3)))
            await running.backend.waitForHeld(2)
            running.backend.releaseAll()
            for client in [waiting, sending] {
                let response = try await client.response()
                #expect(response.status == 200)
                #expect(response.fields["connection"] == "close")
                #expect(try await client.rest() == "")
            }
            await end
            #expect(throws: LoopbackClient.Broken.self) { try running.http() }
            #expect(running.server.instruments.connections.value == 0)
        }
    }

    @Test func aShutdownHoldsNoAnswerForAWatermark() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#, query: "?wait=committed"))
            await running.backend.waitForWaits(1)
            async let end: Void = running.server.shutdown(grace: .seconds(60))
            let response = try await client.response()
            #expect(response.status == 202)
            #expect(response.body.hasSuffix(#""waited":"durable"}"#))
            #expect(try await client.rest() == "")
            await end
            running.backend.endWaits(.closing)
        }
    }

    @Test func aShutdownWaitsForNobodyBeyondItsGrace() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.http()
            try client.send(RunningServer.post(#"{"id":1}"#))
            await running.backend.waitForHeld(1)
            await running.server.shutdown(grace: .milliseconds(10))
            #expect(try await client.rest() == "")
        }
    }
}
