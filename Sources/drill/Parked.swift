import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// A stream's table goes away under load: its rows go aside, its neighbours land, and everything comes back once the table does.
struct Parked: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "A stream's table is renamed away under load, and back.")

    @OptionGroup var options: DrillOptions

    @Option(help: "How many events are sent to the stream whose table goes away.")
    var events = 5_000

    func run() throws {
        var plan = Yard.Plan()
        plan.addReadings("id bigint PRIMARY KEY, level int")
        try options.run("parked (\(events) events)", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            let fleet = try AgentFleet(yard, options, agents: 2, rate: 1000)
            try yard.query("ALTER TABLE readings RENAME TO readings_away")
            for start in stride(from: 0, to: events, by: 500) {
                let lines = (start..<min(start + 500, events)).map { "{\"id\":\($0),\"level\":1}\n" }.joined()
                guard let answer = yard.ingest.post("/v1/ingest/readings", body: lines), answer.status == 200 else {
                    throw YardFault("a request was not accepted while its table was away")
                }
            }
            try waitUntil("all rows of the stream are set aside", within: 300) {
                Int(try yard.metric("forebay_dead_lettered_events_total")) == events
            }
            print(try fleet.finish())
            try yard.waitForDrain(within: 300)
            let report = try fleet.count()
            try expectLetters(yard, parked: events)
            try yard.query("ALTER TABLE readings_away RENAME TO readings")
            try yard.retryReadings()
            try yard.waitForReadings(events)
            try expectLetters(yard, parked: 0)
            try waitUntil("the books balance", within: 60) { try yard.metric("forebay_conservation_difference") == 0 }
            print("set aside \(events), retried and in PostgreSQL \(events), each once (its id is the primary key)")
            return report
        }
    }

    private func expectLetters(_ yard: Yard, parked: Int) throws {
        let (found, others) = (try yard.metric("forebay_parked_events"), try yard.metric("forebay_dead_letters"))
        guard Int(found) == parked, others == 0 else {
            throw YardFault("the metrics tell of \(found) parked events and \(others) others, not of \(parked)")
        }
    }
}
