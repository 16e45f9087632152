import Instruments
import NIOCore
import Records
import Testing

@testable import IngestServer

/// The TCP protocol over a real connection against a scripted backend.
@Suite struct TCPTests {
    private static let queue = "00112233-4455-4677-8899-aabbccddeeff"
    private static let greeting = #"{"forebay":{"stream":"events","ack":true}}"# + "\n"

    @Test func linesOfOneBurstHaveOneAnswer() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\":1}\n\n  \r\n{\"id\":2}\r\n{\"id\":3}\n")
            #expect(try await client.line() == #"{"ok":3,"receipt":"\#(Self.queue).0.3"}"#)
            try client.send("{\"id\":4}\n")
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.4"}"#)
            #expect(running.backend.appended.map(\.batch.rowCount) == [3, 1])
        }
    }

    @Test func linesCutAnywhereAreTheSameLines() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            for (number, text) in [(1, Self.greeting + "{\"id\":1}\r\n"), (2, "\r\n{\"id\":2}\n")] {
                for byte in Array(text.utf8) { try client.send([byte]) }
                #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.\#(number)"}"#)
            }
        }
    }

    @Test func withoutAGreetingLinesGoToTheDefaultStreamUnanswered() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send("{\"id\":1}\n{\"id\":2}")
            client.endSending()
            // The last line needs no end once no more can come.
            #expect(try await client.rest() == "")
            #expect(running.backend.rowCount == 2)
        }
    }

    @Test func aBadLineCostsItselfAndIsAnsweredInItsPlace() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}\n\nno\n{\"id\":5}\n")
            #expect(try await client.line() == #"{"ok":2,"receipt":"\#(Self.queue).0.2"}"#)
            #expect(
                try await client.line()
                    == #"{"error":{"line":3,"lines":1,"retry":false,"reason":"\"id\": found \"x\", expected a whole number"}}"#
            )
            #expect(
                try await client.line()
                    == #"{"error":{"line":4,"lines":1,"retry":false,"reason":"found no, expected an object"}}"#
            )
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.3"}"#)
            #expect(running.server.instruments.eventsRefused.value == 2)
            #expect(running.server.instruments.linesReceived.value == 5)
        }
    }

    @Test func everyOneOfManyBadLinesIsAnswered() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(Self.greeting + String(repeating: "x\n", count: 1000) + "{\"id\":1}\n")
            for line in 1...1000 {
                #expect(try await client.line()?.hasPrefix(#"{"error":{"line":\#(line),"lines":1,"#) == true)
            }
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
        }
    }

    @Test func aLineThatIsTooLongCostsItself() async throws {
        try await RunningServer.run(.loopback.with(\.maxLineBytes, 100)) { running in
            let client = try running.tcp()
            let long = String(repeating: "y", count: 300_000)
            try client.send(Self.greeting + "{\"id\":1}\n\(long)\n{\"id\":2}\n")
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
            #expect(
                try await client.line()
                    == #"{"error":{"line":2,"lines":1,"retry":false,"reason":"the line is longer than 100 bytes"}}"#
            )
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.2"}"#)
        }
    }

    @Test func answersComeInOrderWhateverBecomesOfTheBatches() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\":1}\n")
            await running.backend.waitForHeld(1)
            try client.send("{\"id\":2}\n{\"id\":3}\n")
            await running.backend.waitForHeld(2)
            running.backend.release(1)
            running.backend.releaseAll()
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.3"}"#)
            #expect(try await client.line() == #"{"ok":2,"receipt":"\#(Self.queue).0.2"}"#)
        }
    }

    @Test(
        arguments: [
            (.full, "The disk budget of the queue is used up; the lines were not stored."),
            (.overloaded, "More is waiting to be written than fits in memory; the lines were not stored."),
            (.failed(reason: "EIO"), "The lines could not be made durable (EIO); they may or may not be stored."),
        ] as [(AppendOutcome, String)]
    )
    func aSenderThatWantsAnswersIsToldToSendAgain(_ outcome: AppendOutcome, _ reason: String) async throws {
        try await RunningServer.run { running in
            running.backend.script(outcome)
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\":1}\nx\n{\"id\":2}\n")
            #expect(try await client.line() == #"{"error":{"lines":1,"retry":true,"reason":"\#(reason)"}}"#)
            #expect(try await client.line()?.hasPrefix(#"{"error":{"line":2,"lines":1,"retry":false,"#) == true)
            #expect(try await client.line() == #"{"error":{"lines":1,"retry":true,"reason":"\#(reason)"}}"#)
            // The next lines are taken once the queue takes any.
            try client.send("{\"id\":1}\n")
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
        }
    }

    @Test func whatASenderWithoutAnswersSentIsHandedOverUntilItIsTaken() async throws {
        try await RunningServer.run { running in
            running.backend.script(.full, .overloaded, .full)
            do {
                let client = try running.tcp()
                try client.send("{\"id\":1}\n{\"id\":2}\n")
                client.endSending()
                #expect(try await client.rest() == "")
            }
            #expect(running.backend.appended.count == 4)
            #expect(Set(running.backend.appended.map { ObjectIdentifier($0.batch) }).count == 1)
            #expect(running.server.instruments.eventsAccepted.value == 2)
            #expect(running.server.instruments.inFlightBytes.value == 0)
        }
    }

    @Test func nothingMoreIsReadWhileTheQueueIsFull() async throws {
        try await RunningServer.run { running in
            running.backend.script(.full)
            running.backend.intakeNow = .full
            let client = try running.tcp()
            try client.send("{\"id\":1}\n")
            while running.backend.appended.isEmpty { await Task.yield() }
            let line = Array(String(repeating: "{\"id\":2}\n", count: 10_000).utf8)
            var sent = 0
            while sent < 100_000_000 {
                let count = client.sendWithoutWaiting(line)
                if count == 0 {
                    let before = running.server.instruments.bytesReceived.value
                    for _ in 0..<2000 { await Task.yield() }
                    if running.server.instruments.bytesReceived.value == before { break }
                }
                sent += count
            }
            #expect(sent < 100_000_000)
            #expect(running.backend.appended.count == 1)
        }
    }

    // MARK: - Keys

    @Test func theLinesOfAKeyAreOneBatchHoweverTheyCome() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            let group = #"{"forebay":{"key":"k1","count":3}}"# + "\n"
            try client.send(Self.greeting + "{\"id\":1}\n" + group + "{\"id\":2}\n{\"id")
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
            try client.send("\":3}\r\n\n{\"id\":4}\n{\"id\":5}\n")
            #expect(try await client.line() == #"{"ok":3,"receipt":"\#(Self.queue).0.4"}"#)
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.5"}"#)
            // The same lines, ended otherwise and sent at once, are the same body.
            let again = try running.tcp()
            try again.send(Self.greeting + group + "{\"id\":2}\n{\"id\":3}\n{\"id\":4}\n")
            #expect(try await again.line() == #"{"ok":3,"receipt":"\#(Self.queue).0.8"}"#)
            let keyed = running.backend.appended.compactMap(\.keyed)
            #expect(keyed.count == 2 && keyed[0] == keyed[1])
        }
    }

    @Test func aRepeatAndAReusedKeyAreAnsweredAsSuch() async throws {
        try await RunningServer.run { running in
            let position = Position(queue: ScriptedBackend.queue, lane: LaneID(1), offset: Offset(9))
            running.backend.script(.durable(last: position, count: 2, repeated: true), .keyReused)
            let client = try running.tcp()
            let group = #"{"forebay":{"key":"k1","count":2}}"# + "\n{\"id\":2}\n{\"id\":3}\n"
            try client.send(Self.greeting + group + group)
            #expect(try await client.line() == #"{"ok":2,"receipt":"\#(Self.queue).1.9","repeated":true}"#)
            #expect(
                try await client.line()?.hasPrefix(
                    #"{"error":{"lines":2,"retry":false,"reason":"The Idempotency-Key came"#
                )
                    == true
            )
        }
    }

    @Test func oneBadLineCostsAllLinesOfItsKey() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(
                Self.greeting + "{\"id\":1}\n" + #"{"forebay":{"key":"k1","count":3}}"#
                    + "\n{\"id\":2}\nx\n{\"id\":4}\n{\"id\":5}\n"
            )
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
            #expect(
                try await client.line()
                    == #"{"error":{"line":3,"lines":3,"retry":false,"reason":"found x, expected a JSON value"}}"#
            )
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.2"}"#)
        }
    }

    @Test func rowsOfAKeyThatAreTooLargeTogetherAreNotStored() async throws {
        try await RunningServer.run(.loopback.with(\.maxInflatedBytes, 1000)) { running in
            let client = try running.tcp()
            let group = #"{"forebay":{"key":"k1","count":100}}"# + "\n" + String(repeating: "{\"id\":2}\n", count: 100)
            try client.send(Self.greeting + group + "{\"id\":3}\n")
            #expect(
                try await client.line()
                    == #"{"error":{"lines":100,"retry":false,"reason":"the rows of the key are longer than 1000 bytes together"}}"#
            )
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
        }
    }

    @Test func theLinesOfAKeyThatDoNotAllComeAreNotStored() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(Self.greeting + #"{"forebay":{"key":"k1","count":3}}"# + "\n{\"id\":2}\n{\"id\":3}\n")
            client.endSending()
            #expect(
                try await client.rest()
                    == #"{"error":{"lines":2,"retry":true,"reason":"2 of the key's 3 lines came; none of them was stored"}}"#
                    + "\n"
            )
            #expect(running.backend.appended.isEmpty)
        }
    }

    // MARK: - Refusals

    @Test(arguments: [
        (
            #"{"forebay":{"stream":"nowhere"}}"#,
            #"There is no stream \"nowhere\". Streams are named in the configuration, under streams."#
        ),
        (
            #"{"forebay":{"stram":"events"}}"#,
            #"A control line is wrong: there is no member \"stram\"; there are stream, ack, token, key and count."#
        ),
        (#"{"forebay":{"stream":1}}"#, "A control line is wrong: stream is a string."),
        (
            #"{"forebay":{"stream":"events"}"#,
            "A control line is wrong: nothing may follow the object of forebay in its line."
        ),
        (#"{"forebay":{"ack":true,"ack":true}}"#, #"A control line is wrong: \"ack\" is given twice."#),
        (
            #"{"forebay":{"key":"k"}}"#,
            #"A control line is wrong: an idempotency key is {\"forebay\":{\"key\":\"…\",\"count\":n}}."#
        ),
        (
            #"{"forebay":{"key":"a b","count":1}}"#,
            "A control line is wrong: a key is 1 to 255 visible ASCII characters."
        ),
        (#"{"forebay":{"key":"k","count":0}}"#, "A control line is wrong: count is at least 1."),
        (#"{"forebay":{"key":"k","count":9999999}}"#, "A control line is wrong: count is at most 100000."),
        (
            #"{"forebay":{"token":"t"}}"# + "\n" + #"{"forebay":{"ack":true}}"#,
            "A control line is wrong: stream, ack and token belong into the first line of a connection."
        ),
    ])
    func aWrongBeginningEndsTheConnection(_ line: String, _ reason: String) async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(line + "\n{\"id\":1}\n")
            #expect(
                try await client.rest() == #"{"error":{"lines":0,"retry":false,"closing":true,"reason":"\#(reason)"}}"#
                    + "\n"
            )
            #expect(running.backend.appended.isEmpty)
        }
    }

    @Test func aTokenIsAskedForWhereOneIsNeeded() async throws {
        try await RunningServer.run { running in
            running.backend.require(["secret": Identity(name: "agent")])
            let stranger = try running.tcp()
            try stranger.send("{\"id\":1}\n")
            #expect(
                try await stranger.rest()
                    == #"{"error":{"lines":0,"retry":false,"closing":true,"reason":"A known token is expected: {\"forebay\":{\"token\":\"…\"}}."}}"#
                    + "\n"
            )
            let known = try running.tcp()
            try known.send(#"{"forebay":{"ack":true,"token":"secret"}}"# + "\n{\"id\":1}\n")
            #expect(try await known.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
        }
    }

    /// A web page may send these to a port of loopback without asking; the line of the body would be an event.
    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n{\"id\":1}\n",
        "POST /?\(String(repeating: "x", count: 300_000)) HTTP/1.1\r\nHost: a\r\n\r\n{\"id\":1}\n",
    ])
    func anHTTPRequestIsNoSession(_ request: String) async throws {
        try await RunningServer.run(.loopback.with(\.maxLineBytes, 1000)) { running in
            let client = try running.tcp()
            try client.send(request)
            #expect(
                try await client.line()
                    == #"{"error":{"lines":0,"retry":false,"closing":true,"reason":"This is an HTTP request; this port takes lines of JSON."}}"#
            )
            #expect(try await client.line() == nil)
            #expect(running.backend.appended.isEmpty)
        }
    }

    @Test func aStreamThatIsNotReadyIsToBeTriedAgain() async throws {
        try await RunningServer.run { running in
            let client = try running.tcp()
            try client.send(#"{"forebay":{"stream":"\#(ScriptedBackend.waitingStream)"}}"# + "\n")
            #expect(try await client.rest().hasPrefix(#"{"error":{"lines":0,"retry":true,"closing":true,"#))
        }
    }

    @Test func aSenderThatNamesNoStreamNeedsADefault() async throws {
        try await RunningServer.run(.loopback.with(\.tcpStream, nil)) { running in
            let client = try running.tcp()
            try client.send("{\"id\":1}\n")
            #expect(try await client.rest().contains("No stream is named, and there is no default"))
        }
    }

    @Test func aLineThatDoesNotEndIsCutOff() async throws {
        let quick = IngestConfiguration.loopback.with(\.sweepInterval, .milliseconds(5)).with(
            \.bodyTimeout,
            .milliseconds(50)
        )
        try await RunningServer.run(quick) { running in
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\"")
            #expect(
                try await client.rest()
                    == #"{"error":{"lines":0,"retry":true,"closing":true,"reason":"The line did not end in time."}}"#
                    + "\n"
            )
        }
    }

    // MARK: - Memory and the end

    @Test func linesBeyondTheMemoryWaitAndAreAllTaken() async throws {
        try await RunningServer.run(.loopback.with(\.inFlightBytes, 20_000)) { running in
            running.backend.hold()
            let client = try running.tcp()
            let lines = (1...5000).map { "{\"id\":\($0),\"name\":\"some name\"}\n" }.joined()
            try client.send(Self.greeting + lines)
            while running.server.instruments.budgetWaits.value == 0 { await Task.yield() }
            running.backend.releaseAll()
            var taken = 0
            while taken < 5000 {
                let line = try #require(try await client.line())
                taken += Int(line.dropFirst(6).prefix { $0.isNumber }) ?? 0
            }
            #expect(running.backend.rowCount == 5000)
            #expect(running.server.instruments.inFlightBytes.value == 0)
        }
    }

    @Test func aShutdownAnswersWhatWasReadAndSaysGoodbye() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.tcp()
            try client.send(Self.greeting + "{\"id\":1}\n")
            await running.backend.waitForHeld(1)
            async let end: Void = running.server.shutdown(grace: .seconds(60))
            let idle = try? running.tcp()
            running.backend.releaseAll()
            #expect(try await client.line() == #"{"ok":1,"receipt":"\#(Self.queue).0.1"}"#)
            #expect(
                try await client.line()
                    == #"{"error":{"lines":0,"retry":true,"closing":true,"reason":"The proxy is shutting down."}}"#
            )
            #expect(try await client.rest() == "")
            withExtendedLifetime(idle) {}
            _ = consume client
            await end
        }
    }

    @Test func aShutdownStoresWhatASenderWithoutAnswersSent() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.tcp()
            try client.send("{\"id\":1}\n")
            await running.backend.waitForHeld(1)
            running.backend.script(.overloaded)
            async let end: Void = running.server.shutdown(grace: .seconds(60))
            running.backend.releaseAll()
            await end
            #expect(running.server.instruments.eventsAccepted.value == 1)
            #expect(running.backend.appended.count == 2)
        }
    }

    @Test func aShutdownHandsOverAgainWhatTheQueueRefuses() async throws {
        try await RunningServer.run { running in
            running.backend.hold()
            let client = try running.tcp()
            try client.send("{\"id\":1}\n")
            await running.backend.waitForHeld(1)
            running.backend.script(.overloaded)
            // As the proxy does: whoever asks is told that it closes, long before the queue takes nothing more.
            running.backend.intakeNow = .closing
            async let end: Void = running.server.shutdown(grace: .seconds(10))
            running.backend.releaseAll()
            await end
            #expect(running.server.instruments.eventsAccepted.value == 1)
            #expect(running.backend.appended.count == 2)
        }
    }
}
