import AgentKit
import Glibc
import ProvingGround

/// Forebay under a load while PostgreSQL is there and takes everything.
final class ForebayDelivering: Contender {
    let name: String
    let note = "answers when the events are on disk, and delivers them meanwhile; the rows are counted after each round"
    private let yard: Yard
    private let load: Load

    init(_ yard: Yard, _ load: Load, name: String = "forebay") {
        self.yard = yard
        self.load = load
        self.name = name
    }

    func round(isLast: Bool) async throws -> Sample {
        try startAfresh(yard)
        guard let proxy = yard.proxy else { throw YardFault("the proxy does not run") }
        let watch = QueueWatch(port: yard.opsPort, from: load.warmup, to: load.warmup + load.duration)
        async let lengths = watch.run()
        let stolen = StolenTime()
        let report = try await load.run(port: yard.httpPort, processes: [proxy.pid])
        var sample = load.sample(report)
        sample[Measure.stolen.key] = stolen.percent
        sample.merge(try await lengths) { $1 }
        try yard.waitForDrain(within: 600)
        try expectRows(report.acknowledgedInAll, in: yard)
        try yard.stopProxy()
        return sample
    }
}
