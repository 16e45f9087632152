import ArgumentParser
import Foundation
import ProvingGround

/// Rows that a constraint refuses stand among rows that are fine; each costs itself only.
struct Poison: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Rows that violate a check or a unique constraint.")

    @OptionGroup var options: DrillOptions

    @Option(help: "How many events are sent.")
    var events = 20_000

    @Option(help: "Every how many-th event violates a constraint.")
    var every = 100

    func run() throws {
        var plan = Yard.Plan()
        plan.addReadings("id bigint PRIMARY KEY, level int CHECK (level >= 0)")
        try options.run("poison (1 in \(every) of \(events))", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            var refused = 0
            for start in stride(from: 0, to: events, by: 1000) {
                var lines = ""
                for id in start..<min(start + 1000, events) {
                    switch id % every == every / 2 {
                    case false: lines += "{\"id\":\(id),\"level\":1}\n"
                    case true where id % 2 == 0: lines += "{\"id\":\(id),\"level\":-1}\n"
                    case true: lines += "{\"id\":0,\"level\":1}\n"
                    }
                    if id % every == every / 2 { refused += 1 }
                }
                guard let answer = yard.ingest.post("/v1/ingest/readings", body: lines), answer.status == 200 else {
                    throw YardFault("a request was not accepted")
                }
            }
            let begun = ContinuousClock.now
            try yard.waitForDrain(within: 300)
            let rows = Int(try yard.query("SELECT count(*) FROM readings")) ?? -1
            let letters = Int(try yard.metric("forebay_dead_lettered_events_total"))
            print(
                "sent \(events), in PostgreSQL \(rows), dead-lettered \(letters), drained in \((ContinuousClock.now - begun))"
            )
            guard rows == events - refused, letters == refused else {
                throw YardFault("expected \(events - refused) rows and \(refused) dead letters")
            }
            print(try capture("\(yard.programs)/forebay", ["dlq", "ls", "--config", yard.configuration]).prefix(600))
            return DrillReport(sent: events, arrived: rows + letters)
        }
    }
}
