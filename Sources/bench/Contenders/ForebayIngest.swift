import AgentKit
import Foundation
import LocalPostgres
import ProvingGround

/// Forebay under a load that ends at its disk: PostgreSQL is away.
final class ForebayIngest: Contender {
    let name = "forebay"
    let note = """
        answers when the events are on disk (fdatasync); with the key that an agent may send, each is in PostgreSQL exactly once
        """
    private let yard: Yard
    private let load: Load

    init(_ yard: Yard, _ load: Load) {
        self.yard = yard
        self.load = load
    }

    func round(isLast: Bool) async throws -> Sample {
        try startAfresh(yard)
        guard let proxy = yard.proxy else { throw YardFault("the proxy does not run") }
        try yard.cluster.primary.stop(.fast)
        let report = try await load.run(port: yard.httpPort, processes: [proxy.pid])
        let queued = Int(try yard.metric("forebay_queued_events"))
        guard queued == report.acknowledgedInAll else {
            throw YardFault("\(report.acknowledgedInAll) events were acknowledged, \(queued) are in the queue")
        }
        try yard.cluster.primary.start()
        if isLast {
            try yard.waitForDrain(within: 600)
            try expectRows(report.acknowledgedInAll, in: yard)
        }
        try yard.stopProxy()
        return load.sample(report)
    }
}

/// Starts the proxy with an empty queue in front of an empty table.
func startAfresh(_ yard: Yard) throws {
    try FileManager.default.createDirectory(atPath: yard.queueDirectory, withIntermediateDirectories: true)
    try FileManager.default.removeItem(atPath: yard.queueDirectory)
    try yard.query("TRUNCATE apirequests, forebay.ledger")
    try yard.query("CHECKPOINT")
    try yard.startProxy()
    try yard.waitForStreams()
}

/// Counts the rows of the table that the events went to.
func expectRows(_ expected: Int, in yard: Yard) throws {
    let rows = Int(try yard.query("SELECT count(*) FROM apirequests"))
    guard rows == expected else {
        throw YardFault("PostgreSQL has \(rows ?? -1) rows, and \(expected) events were acknowledged")
    }
}
