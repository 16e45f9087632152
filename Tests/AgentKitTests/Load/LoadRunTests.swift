import AgentKit
import Testing

/// Method: short runs against a server on loopback whose store tells what was really sent. Times are not asserted beyond order.
struct LoadRunTests {
    private func plan(port: Int, wire: LoadPlan.Wire, rate: Double?, keys: Bool) -> LoadPlan {
        LoadPlan(
            host: "127.0.0.1",
            port: port,
            wire: wire,
            rate: rate,
            connections: 3,
            batch: 5,
            warmup: .zero,
            duration: .milliseconds(400),
            patience: .seconds(5),
            keys: keys,
            uniqueTraces: true,
            eventTime: .now,
            run: 0xABCD
        )
    }

    private func traces(_ proxy: ScriptedProxy) -> [String] {
        proxy.contents.lines.map { String($0.split(separator: "\"trace_id\":\"")[1].prefix(32)) }
    }

    @Test(arguments: LoadPlan.Wire.allCases, [true, false])
    private func openLoopSendsWhatWasPlanned(_ wire: LoadPlan.Wire, _ keys: Bool) async throws {
        let proxy = ScriptedProxy()
        let report = try await ScriptedServer.with(proxy) {
            try await LoadRun(plan: plan(port: $0, wire: wire, rate: 1000, keys: keys)).run()
        }
        // 0.4 s at 1,000 events a second.
        #expect(report.acknowledgedInAll == 400)
        #expect(report.unanswered == 0 && report.faults.isEmpty)
        let ids = traces(proxy)
        #expect(ids.count == 400 && Set(ids).count == 400)
        #expect(ids.allSatisfy { $0.hasPrefix("000000000000abcd") })
        #expect(
            report.latency.p50 > 0 && report.latency.p50 <= report.latency.p99
                && report.latency.p99 <= report.latency.max
        )
    }

    @Test func closedLoopSendsAsFastAsItIsAnswered() async throws {
        let proxy = ScriptedProxy()
        let report = try await ScriptedServer.with(proxy) {
            try await LoadRun(plan: plan(port: $0, wire: .http, rate: nil, keys: true)).run()
        }
        #expect(report.acknowledgedInAll > 100)
        #expect(report.acknowledgedInAll == proxy.contents.lines.count)
    }

    @Test func eventsCarryTheTimeAtWhichTheyAreSent() async throws {
        let proxy = ScriptedProxy()
        let before = Timestamp.now.description
        _ = try await ScriptedServer.with(proxy) { port in
            var plan = plan(port: port, wire: .http, rate: 1000, keys: false)
            plan.currentTimes = true
            return try await LoadRun(plan: plan).run()
        }
        let after = Timestamp.now.description
        let times = proxy.contents.lines.map { String($0.dropFirst(9).prefix(27)) }
        #expect(times.count == 400)
        // The form sorts as the moments do.
        #expect(times.allSatisfy { before < $0 && $0 < after })
        #expect(Set(times).count > 40)
    }

    @Test func failuresAreCountedAndTheConnectionComesBack() async throws {
        let proxy = ScriptedProxy(script: { $0 % 10 == 4 ? .close : $0 % 10 == 7 ? .refuse(503) : .accept })
        let report = try await ScriptedServer.with(proxy) {
            try await LoadRun(plan: plan(port: $0, wire: .http, rate: 1000, keys: false)).run()
        }
        // Of 80 requests; those that were due while a connection was away start when it is back.
        #expect(report.unanswered == 8)
        #expect(report.faults["connection closed"] == 8)
        #expect(report.statuses["503"] == 8)
        #expect(report.acknowledgedInAll == 320 && proxy.contents.lines.count == 320)
    }

    @Test func refusalsOverTCPAreCounted() async throws {
        let proxy = ScriptedProxy(script: { $0 % 10 == 7 ? .refuse(503) : .accept })
        let report = try await ScriptedServer.with(proxy) {
            try await LoadRun(plan: plan(port: $0, wire: .tcp, rate: 1000, keys: true)).run()
        }
        #expect(report.statuses == ["200": 72, "503": 8])
        #expect(report.acknowledgedInAll == 360 && proxy.contents.lines.count == 360 && report.faults.isEmpty)
    }

    @Test func nobodyListeningLeavesEveryRequestUnanswered() async throws {
        let port = try await ScriptedServer.with(ScriptedProxy()) { $0 }
        var plan = plan(port: port, wire: .http, rate: 1000, keys: false)
        plan.patience = .zero
        let report = try await LoadRun(plan: plan).run()
        #expect(report.acknowledgedInAll == 0 && report.unanswered == 80)
        #expect(report.text.contains("cannot connect"))
    }

    @Test func aStallShowsInTheLatencyOfAllThatItDelays() async throws {
        // The first request of the one connection is never answered; the connection gives up at the end of the patience.
        let proxy = ScriptedProxy(script: { $0 == 0 ? .storeAndHang : .accept })
        var plan = plan(port: 0, wire: .http, rate: 1000, keys: false)
        plan.connections = 1
        plan.patience = .milliseconds(200)
        let report = try await ScriptedServer.with(proxy) { port in
            plan.port = port
            return try await LoadRun(plan: plan).run()
        }
        #expect(report.unanswered == 80 && report.acknowledgedInAll == 0)
    }
}
