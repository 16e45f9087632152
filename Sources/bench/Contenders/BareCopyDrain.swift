import AgentKit
import ProvingGround

/// A client that does nothing but `COPY (FORMAT binary)` of the rows that stand in the queue, in their order: connection n has
/// the rows of lane n.
final class BareCopyDrain: Contender {
    let name = "bare COPY"
    let note =
        "rows ready in memory, 10,000 a transaction, two connections; nothing is remembered, a crash loses or doubles"
    private let backlog: Backlog

    init(_ backlog: Backlog) {
        self.backlog = backlog
    }

    func round(isLast: Bool) async throws -> Sample {
        try backlog.clearTable()
        let address = backlog.yard.administrator
        let connectionString = address.map { name, value in
            let keyword = ["PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"][name]
            return "\(keyword ?? "dbname")=\(value)"
        }
        .joined(separator: " ")
        let shares = try backlog.transactions().map { transactions in
            CopyRun.Share(
                connection: try BareCopy(connectionString: connectionString, table: "public.apirequests"),
                transactions: transactions
            )
        }
        let own = ProcessUsage.ownCPU
        let (rows, elapsed) = try await CopyRun(shares: shares).run()
        let used = ProcessUsage.ownCPU - own
        guard rows == backlog.events else { throw YardFault("\(rows) rows were copied, not \(backlog.events)") }
        try expectRows(backlog.events, in: backlog.yard)
        try backlog.expectSameRows(after: name)
        return [
            Measure.rows.key: Double(rows) / (elapsed / .seconds(1)),
            Measure.cpu.key: used / .seconds(1) / (Double(rows) / 1e6),
        ]
    }
}
