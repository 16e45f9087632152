import AgentKit
import Testing

/// Method: real agents with real journals against a server on loopback that fails by a script; the count at the end decides. The
/// same count must fail when the server loses what it acknowledged.
struct DrillAgentTests {
    private enum Wire: CaseIterable {
        case http
        case tcp

        func transport(port: Int) -> any BatchTransport {
            switch self {
            case .http: IngestClient(settings: .init(url: "http://127.0.0.1:\(port)", stream: "s"), connections: 1)
            case .tcp: LineTransport(settings: .init(host: "127.0.0.1", port: port, stream: "s"))
            }
        }
    }

    /// Runs three agents until the server has seen `requests`, and counts.
    private func drill(
        _ proxy: ScriptedProxy,
        over wire: Wire,
        keys: Bool,
        requests: Int = 150
    ) async throws -> (DrillCount.Verdict, DrillTally.Summary) {
        try await withTemporaryDirectory { directory in
            let tally = DrillTally(run: "test", agents: 3)
            let stop = StopSignal()
            try await ScriptedServer.with(proxy) { port in
                let transports = (0..<3).map { _ in wire.transport(port: port) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, transport) in transports.enumerated() {
                        let settings = DrillAgent.Settings(
                            run: "test",
                            number: number,
                            journalDirectory: directory,
                            keys: keys,
                            largestBatch: 20,
                            seed: 1,
                            eventTime: .now
                        )
                        let agent = DrillAgent(settings: settings, transport: transport, tally: tally, stop: stop)
                        group.addTask { try await agent.run() }
                    }
                    while proxy.contents.requests < requests, !stop.isRaised {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    stop.raise()
                    try await group.waitForAll()
                }
                for transport in transports { await transport.close() }
            }
            let records = try fileNames(in: directory).map {
                try DrillRecord(journal: contents(of: "\(directory)/\($0)"))
            }
            var count = DrillCount(records: records)
            for line in proxy.contents.lines {
                count.arrived(line.split(separator: "\"trace_id\":\"")[1].prefix { $0 != "\"" })
            }
            return (count.verdict, tally.summary)
        }
    }

    private static func nasty(_ number: Int) -> ScriptedProxy.Deed {
        [.accept, .close, .storeAndClose, .storeAndAnswerHalf, .accept, .refuse(503)][
            Int(SeededRandom.mix(UInt64(number)) % 6)
        ]
    }

    @Test(arguments: Wire.allCases)
    private func losesAndDoublesNothingWithKeys(_ wire: Wire) async throws {
        let proxy = ScriptedProxy(script: Self.nasty)
        let (verdict, summary) = try await drill(proxy, over: wire, keys: true)
        #expect(verdict.passes)
        #expect(verdict.acknowledged > 100 && verdict.acknowledged == verdict.sent)
        #expect(summary.resent > 20 && summary.repeatedBatches >= 0 && summary.failure == nil)
        #expect(proxy.contents.repeats > 0)
    }

    @Test(arguments: Wire.allCases)
    private func losesNothingWithoutKeysButDoubles(_ wire: Wire) async throws {
        let (verdict, _) = try await drill(ScriptedProxy(script: Self.nasty), over: wire, keys: false)
        #expect(verdict.passes)
        #expect(verdict.lost == 0 && verdict.doubledWithoutKeys > 0)
    }

    @Test func aServerThatLosesIsFound() async throws {
        // Acknowledges events that it does not keep: what the drill exists for.
        let proxy = ScriptedProxy(refuses: { _ in false }, loses: { $0 % 7 == 3 })
        let (verdict, _) = try await drill(proxy, over: .http, keys: true, requests: 40)
        #expect(!verdict.passes)
        #expect(verdict.lost > 0 && !verdict.lostExamples.isEmpty)
    }

    @Test func aServerThatForgetsKeysIsFound() async throws {
        let proxy = ScriptedProxy(forgetsKeys: true, script: Self.nasty)
        let (verdict, _) = try await drill(proxy, over: .http, keys: true, requests: 60)
        #expect(!verdict.passes)
        #expect(verdict.doubled > 0)
    }

    @Test func aRefusalEndsTheDrillWithAFailure() async throws {
        let (_, summary) = try await drill(ScriptedProxy(script: { _ in .refuse(401) }), over: .http, keys: true)
        #expect(summary.failure?.contains("401") == true)
        #expect(summary.abandonedBatches > 0)
    }
}
