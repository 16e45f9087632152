import AgentKit
import Glibc
import Synchronization
import Testing

/// Method: the real sender, reader and HTTP client against a server on loopback that fails by a script, fed through a real pipe;
/// what is on the server's "disk" at the end is compared with what went in.
struct SenderTests {
    private struct Outcome {
        var counts: SendCounts
        var reports: [String]
    }

    /// Sends the text through a pipe to a server at the port.
    private func send(
        _ text: String,
        to port: Int,
        batch: Int = 3,
        parallel: Int = 1,
        strict: Bool = false,
        giveUpAfter: Duration? = nil,
        timeout: Duration = .seconds(5),
        tally: SendTally = SendTally()
    ) async throws -> Outcome {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (output, input) = (ends[0], ends[1])
        defer { close(output) }
        let stop = StopSignal()
        let client = IngestClient(
            settings: .init(url: "http://127.0.0.1:\(port)", stream: "apirequests", timeout: timeout),
            connections: parallel
        )
        let backoff = Backoff(first: .milliseconds(1), most: .milliseconds(5))
        let box = ReportBox()
        let courier = Courier(
            transport: client,
            policy: BatchDelivery.Policy(backoff: backoff, giveUpAfter: giveUpAfter),
            strict: strict,
            tally: tally,
            refused: { place, reason in box.add("\(place): \(reason)") }
        )
        let sender = Sender(
            settings: .init(limits: .init(events: batch), parallel: parallel, keyPrefix: "t"),
            courier: courier,
            stop: stop
        )
        async let feeding: Void = Task.detached {
            writeAll(Array(text.utf8), to: input)
            close(input)
        }.value
        await sender.run([InputReader(descriptor: output, name: "pipe", stop: stop)])
        await feeding
        await client.close()
        return Outcome(counts: tally.snapshot, reports: box.all)
    }

    private func numbers(_ range: ClosedRange<Int>) -> [String] { range.map { "{\"n\":\($0)}" } }

    private func text(_ lines: [String]) -> String { lines.joined(separator: "\n") + "\n" }

    @Test func everythingArrivesInOrder() async throws {
        let proxy = ScriptedProxy()
        let lines = numbers(1...100)
        let outcome = try await ScriptedServer.with(proxy) { try await send(text(lines), to: $0) }
        #expect(proxy.contents.lines == lines)
        #expect(outcome.counts.acknowledged == 100 && outcome.counts.lines == 100 && outcome.counts.resends == 0)
        #expect(outcome.counts.requests == 34)
    }

    @Test func nothingIsLostOrDoubledWhateverTheServerDoes() async throws {
        let deeds: [ScriptedProxy.Deed] = [
            .accept, .close, .storeAndClose, .storeAndAnswerHalf, .refuse(503), .refuse(500), .refuse(429), .accept,
        ]
        let proxy = ScriptedProxy(script: { deeds[Int(SeededRandom.mix(UInt64($0)) % 8)] })
        let lines = numbers(1...300)
        let outcome = try await ScriptedServer.with(proxy) { try await send(text(lines), to: $0) }
        #expect(proxy.contents.lines == lines)
        #expect(outcome.counts.acknowledged == 300 && outcome.counts.unacknowledged == 0)
        #expect(outcome.counts.resends > 100 && proxy.contents.repeats > 10)
        #expect(outcome.counts.repeated > 0 && outcome.counts.repeated <= 3 * proxy.contents.repeats)
    }

    @Test func aServerThatHangsIsAskedAgain() async throws {
        let proxy = ScriptedProxy(script: { $0 == 0 ? .storeAndHang : .accept })
        let outcome = try await ScriptedServer.with(proxy) {
            try await send(text(numbers(1...3)), to: $0, timeout: .milliseconds(300))
        }
        #expect(proxy.contents.lines == numbers(1...3))
        #expect(outcome.counts.repeated == 3)
    }

    @Test func parallelRequestsLoseNothing() async throws {
        let proxy = ScriptedProxy(script: { $0 % 3 == 0 ? .storeAndClose : .accept })
        let lines = numbers(1...400)
        _ = try await ScriptedServer.with(proxy) { try await send(text(lines), to: $0, parallel: 4) }
        #expect(proxy.contents.lines.count == 400)
        #expect(Set(proxy.contents.lines) == Set(lines))
    }

    @Test func refusedEventsAreReportedWithTheirLines() async throws {
        let proxy = ScriptedProxy(refuses: { $0.contains("bad") })
        let input = "1\n\nbad\n3\n4\nbad\n"
        let outcome = try await ScriptedServer.with(proxy) { try await send(input, to: $0) }
        #expect(proxy.contents.lines == ["1", "3", "4"])
        #expect(outcome.reports == ["line 3: bad", "line 6: bad"])
        #expect(outcome.counts.refused == 2 && outcome.counts.acknowledged == 3)
    }

    @Test func anEventThatSpoilsItsRequestIsFoundByDividing() async throws {
        let proxy = ScriptedProxy(breaksOn: { $0 == "5" })
        let outcome = try await ScriptedServer.with(proxy) {
            try await send(text((1...8).map(String.init)), to: $0, batch: 8)
        }
        #expect(proxy.contents.lines == ["1", "2", "3", "4", "6", "7", "8"])
        #expect(outcome.reports == ["line 5: 400: scripted"])
        #expect(outcome.counts.acknowledged == 7 && outcome.counts.refused == 1 && outcome.counts.unacknowledged == 0)
    }

    @Test func strictStopsAtTheFirstRefusal() async throws {
        let proxy = ScriptedProxy(refuses: { $0 == "2" })
        let outcome = try await ScriptedServer.with(proxy) {
            try await send(text((1...300).map(String.init)), to: $0, batch: 1, strict: true)
        }
        #expect(outcome.counts.stopped == "an event was refused")
        #expect(proxy.contents.lines.count < 5)
    }

    @Test func anUnknownStreamStopsAtOnce() async throws {
        let proxy = ScriptedProxy(script: { _ in .refuse(404) })
        let outcome = try await ScriptedServer.with(proxy) { try await send(text(numbers(1...50)), to: $0) }
        #expect(outcome.counts.stopped == "the answer was 404: scripted")
        #expect(outcome.counts.acknowledged == 0 && outcome.counts.unacknowledged >= 3)
        #expect(proxy.contents.requests == 1)
    }

    @Test func givesUpWhereNobodyListens() async throws {
        let port = try await ScriptedServer.with(ScriptedProxy()) { $0 }
        let outcome = try await send(text(numbers(1...3)), to: port, giveUpAfter: .milliseconds(50))
        #expect(outcome.counts.unacknowledged == 3)
        #expect(outcome.counts.stopped != nil)
    }

    @Test func aServerThatComesLaterGetsEverything() async throws {
        let port = try await ScriptedServer.with(ScriptedProxy()) { $0 }
        let proxy = ScriptedProxy()
        let tally = SendTally()
        async let outcome = send(text(numbers(1...9)), to: port, tally: tally)
        while tally.snapshot.resends < 3 {
            try await Task.sleep(for: .milliseconds(1))
        }
        let server = try await ScriptedServer(proxy, port: port)
        let counts = try await outcome.counts
        try await server.close()
        #expect(counts.acknowledged == 9 && counts.repeated == 0)
        #expect(proxy.contents.lines == numbers(1...9))
    }
}

/// Collects reports of several tasks.
private final class ReportBox: Sendable {
    private let reports = Mutex<[String]>([])

    func add(_ report: String) { reports.withLock { $0.append(report) } }

    var all: [String] { reports.withLock { $0 } }
}
