/// Puts generated events straight into a table, each batch in a transaction of its own.
package struct CopySeedSink: SeedSink {
    private let connections: [BareCopy]

    /// - Parameter connections: at least one; batches are spread over them by number.
    package init(connections: [BareCopy]) {
        precondition(!connections.isEmpty, "a sink needs a connection")
        self.connections = connections
    }

    package var parallelism: Int { connections.count }

    package func write(_ batch: SeedBatch) async throws -> Int {
        try await connections[batch.number % connections.count].copy(batch.tuples)
    }

    package func finish() async throws {}
}
