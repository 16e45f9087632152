// Method: the real proxy, whose time of day a preloaded library sets by hours both ways, as an operator or a bad NTP server would, while an agent sends and PostgreSQL takes. The
// monotonic clock goes on as it does.

import Foundation
import ProvingGround
import Testing

@Suite(.serialized)
struct ClockTests {
    private struct Reply: Decodable {
        var receipt: String
        var repeated: Bool?
    }

    @Test
    func stepsOfHoursBothWaysHarmNothing() throws {
        var plan = Yard.Plan()
        plan.retention = "min_age: 1h"
        let programs = try #require(DrillTests.programs).path()
        let yard = try Yard(plan, programs: programs)
        defer { try? yard.remove() }
        let path = "\(yard.directory)/clock"
        try Data(count: 8).write(to: URL(filePath: path))
        let clock = try #require(FileHandle(forUpdatingAtPath: path))
        func step(to hours: Int) throws {
            try clock.seek(toOffset: 0)
            try clock.write(contentsOf: withUnsafeBytes(of: Int64(hours) * 3600) { Data($0) })
            try waitUntil("the proxy's time of day is \(hours) hours ahead", within: 10) {
                guard let date = yard.ingest.get("/healthz")?.field("date") else { return false }
                return abs(try Self.seconds(date) - Date().timeIntervalSince1970 - Double(hours) * 3600) < 60
            }
        }
        yard.proxyEnvironment = [
            "LD_PRELOAD": "\(programs)/libClockSteps.so", "FOREBAY_CLOCK_STEPS": path,
            "FOREBAY_IDEMPOTENCY_WINDOW": "1h", "FOREBAY_QUEUE_SEGMENT_BYTES": "1MiB", "FOREBAY_QUEUE_LANES": "1",
        ]
        try yard.startProxy()
        try yard.waitForStreams()
        let agent = SteadyAgent(yard)
        let first = try post(to: yard)
        #expect(first.repeated == nil)
        // More than one segment, of which the first could go.
        for number in 0..<6 { try fill(yard, number) }

        for hours in [7, -7, 0] {
            try step(to: hours)
            _ = agent.takeLongest()
            let before = try #require(try yard.status()).lanes[0]
            try waitUntil("events land at \(hours) hours", within: 20) {
                try yard.status()?.lanes[0].committed ?? 0 >= before.durable + 20
            }
            // The key is minutes old, whatever the time of day says.
            let again = try post(to: yard)
            #expect(again.repeated == true, "\(hours) hours")
            #expect(again.receipt == first.receipt, "\(hours) hours")
            // So are the segments, which stay for an hour.
            #expect(try yard.status()?.lanes[0].trimmed == 0, "\(hours) hours")
            #expect(agent.takeLongest() < .seconds(2), "\(hours) hours")
        }
        // A start that finds rows and keys from hours ahead.
        try agent.stop()
        try step(to: -7)
        try yard.stopProxy()
        try yard.startProxy()
        try yard.waitForIngest()
        #expect(try post(to: yard).repeated == true)
        try yard.waitForDrain(within: 60)
        let count = agent.acknowledged.count
        #expect(agent.refused.isEmpty)
        #expect(try SteadyAgent.rows(in: yard) == "\(count)|\(count)")
        #expect(try yard.query("SELECT count(*) FROM apirequests WHERE service = 'keyed'") == "1")
        #expect(try yard.status()?.conservation.difference == 0)
    }

    private func post(to yard: Yard) throws -> Reply {
        let body = #"{"time":"2026-01-01T00:00:00Z","service":"keyed"}"#
        let answer = try #require(
            yard.ingest.post("/v1/ingest/apirequests", body: body, type: "application/json", key: "the-key")
        )
        #expect(answer.status == 200, "\(answer.body)")
        return try JSONDecoder().decode(Reply.self, from: Data(answer.body.utf8))
    }

    /// Rows that do not compress.
    private func fill(_ yard: Yard, _ number: Int) throws {
        let rows = (0..<4).map { _ in
            let noise = String((0..<100_000).map { _ in Character(UnicodeScalar(UInt8.random(in: 97...122))) })
            return #"{"time":"2026-01-01T00:00:00Z","service":"filler","user_agent":"\#(noise)"}"#
        }
        let answer = yard.ingest.post("/v1/ingest/apirequests", body: rows.joined(separator: "\n"))
        #expect(answer?.status == 200)
    }

    /// Since 1970, from the form that HTTP has for a date.
    private static func seconds(_ date: String) throws -> Double {
        let form = DateFormatter()
        form.locale = Locale(identifier: "en_US_POSIX")
        form.timeZone = .gmt
        form.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return try #require(form.date(from: date)).timeIntervalSince1970
    }
}
