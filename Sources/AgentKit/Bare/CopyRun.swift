/// Copies prepared rows as fast as PostgreSQL takes them, over connections that do nothing else.
package struct CopyRun: Sendable {
    /// What one connection copies: the tuples of each transaction, back to back.
    package struct Share: Sendable {
        package var connection: BareCopy
        package var transactions: [[UInt8]]

        package init(connection: BareCopy, transactions: [[UInt8]]) {
            self.connection = connection
            self.transactions = transactions
        }
    }

    private let shares: [Share]

    package init(shares: [Share]) {
        self.shares = shares
    }

    /// Copies everything, all connections at once; returns how many rows PostgreSQL counted and how long it took.
    package func run() async throws -> (rows: Int, elapsed: Duration) {
        let start = ContinuousClock.now
        let copied = try await withThrowingTaskGroup(of: Int.self) { group in
            for share in shares {
                group.addTask {
                    var copied = 0
                    for tuples in share.transactions {
                        copied += try await share.connection.copy(tuples)
                    }
                    return copied
                }
            }
            return try await group.reduce(0, +)
        }
        return (copied, ContinuousClock.now - start)
    }
}
