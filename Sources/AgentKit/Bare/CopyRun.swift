/// Copies generated rows as fast as PostgreSQL takes them, over connections that do nothing else.
package struct CopyRun: Sendable {
    package var connections: [BareCopy]
    /// Rows in a transaction.
    package var rowsPerTransaction: Int
    /// Tuples of one transaction each, rendered beforehand; used in turn.
    private let prepared: [[UInt8]]

    /// Renders about 64 MiB of rows, from the same events that a load plan with this seed and time sends.
    ///
    /// - Parameter connections: at least one.
    package init(connections: [BareCopy], rowsPerTransaction: Int, seed: UInt64, eventTime: Timestamp) {
        precondition(!connections.isEmpty, "rows need a connection")
        self.connections = connections
        self.rowsPerTransaction = rowsPerTransaction
        let count = max(2, min(64, (64 << 20) / (rowsPerTransaction * 330)))
        var generator = RequestGenerator(
            seed: seed,
            count: count * rowsPerTransaction,
            from: Timestamp(microseconds: eventTime.microseconds - 60 * Timestamp.microsecondsPerSecond),
            to: eventTime
        )
        prepared = (0..<count).map { _ in
            var tuples: [UInt8] = []
            for _ in 0..<rowsPerTransaction {
                guard let request = generator.next() else { break }
                generator.catalog.appendTuple(request, to: &tuples)
            }
            return tuples
        }
    }

    /// Copies at least `rows` rows, whole transactions; returns how many and how long it took.
    package func run(rows: Int) async throws -> (rows: Int, elapsed: Duration) {
        let transactions = max(1, (rows + rowsPerTransaction - 1) / rowsPerTransaction)
        let start = ContinuousClock.now
        let copied = try await withThrowingTaskGroup(of: Int.self) { group in
            for (number, connection) in connections.enumerated() {
                group.addTask { [connections, prepared] in
                    var copied = 0
                    for transaction in stride(from: number, to: transactions, by: connections.count) {
                        copied += try await connection.copy(prepared[transaction % prepared.count])
                    }
                    return copied
                }
            }
            return try await group.reduce(0, +)
        }
        return (copied, ContinuousClock.now - start)
    }
}
