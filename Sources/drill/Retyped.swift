import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// A column's type is changed under load to one of the same width: no row may land as another value, and every row comes back once the type does.
struct Retyped: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "A column's type is changed under load, from int4 to float4, and back."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many events are sent to the stream whose column is changed.")
    var events = 20_000

    private static let level = 7

    func run() throws {
        var plan = Yard.Plan()
        plan.addReadings("id bigint PRIMARY KEY, level int")
        try options.run("retyped (\(events) events)", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options, agents: 2, rate: 1000)
            let before = events / 10
            try post(0..<before, to: yard)
            try yard.query("ALTER TABLE readings ALTER level TYPE real")
            let altered = ContinuousClock.now
            var landed: Duration?
            for start in stride(from: before, to: events, by: 100) {
                try post(start..<min(start + 100, events), to: yard)
                if landed == nil, try rows(of: yard, "level = \(Self.level) AND id >= \(before)") > 0 {
                    landed = .now - altered
                }
                usleep(20_000)
            }
            var aside = 0
            try waitUntil("every row is in PostgreSQL or set aside", within: 300) {
                aside = Int(try yard.metric("forebay_dead_lettered_events_total"))
                return try rows(of: yard) + aside == events
            }
            try checkValues(yard)
            guard let landed else { throw YardFault("no row of the new type landed, \(aside) went aside") }
            print("set aside \(aside); the first row of the new type was in PostgreSQL within \(landed)")
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            let report = try fleet.count()
            try yard.query("ALTER TABLE readings ALTER level TYPE int")
            // Rows that come now are still encoded for the type before.
            try yard.retryReadings()
            try yard.waitForReadings(events)
            try checkValues(yard)
            try waitUntil("the books balance", within: 60) { try yard.metric("forebay_conservation_difference") == 0 }
            print("retried; in PostgreSQL \(events), each once (its id is the primary key) and with its value")
            return report
        }
    }

    private func post(_ identifiers: Range<Int>, to yard: Yard) throws {
        let lines = identifiers.map { "{\"id\":\($0),\"level\":\(Self.level)}\n" }.joined()
        guard let answer = yard.ingest.post("/v1/ingest/readings", body: lines), answer.status == 200 else {
            throw YardFault("a request was not accepted while its table was changed")
        }
    }

    private func rows(of yard: Yard, _ condition: String = "true") throws -> Int {
        Int(try yard.query("SELECT count(*) FROM readings WHERE \(condition)")) ?? 0
    }

    private func checkValues(_ yard: Yard) throws {
        let wrong = try rows(of: yard, "level IS DISTINCT FROM \(Self.level)")
        guard wrong == 0 else { throw YardFault("\(wrong) rows are in PostgreSQL with another value than was sent") }
    }
}
