/// `forebay seed`: generates events and hands them to a sink, at a set rate if there is one.
package struct SeedRun: Sendable {
    package var generator: RequestGenerator
    package var batchSize: Int
    /// Events a second; nil for as fast as the sink takes them.
    package var rate: Double?
    package var sink: any SeedSink
    package var stop: StopSignal
    package var tally: SendTally

    package init(
        generator: RequestGenerator,
        batchSize: Int,
        rate: Double?,
        sink: any SeedSink,
        stop: StopSignal,
        tally: SendTally
    ) {
        self.generator = generator
        self.batchSize = batchSize
        self.rate = rate
        self.sink = sink
        self.stop = stop
        self.tally = tally
    }

    /// Returns when all events have arrived, or after the stop signal, when those under way have; throws the sink's first fault.
    package func run() async throws {
        let start = ContinuousClock.now
        var generator = generator
        var number = 0
        var free = max(1, sink.parallelism)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                while !stop.isRaised {
                    let batch = Self.batch(of: batchSize, number: number, from: &generator)
                    guard !batch.requests.isEmpty else { break }
                    if let rate {
                        let due = start + .seconds(Double(batch.first - 1) / rate)
                        try await Task.sleep(until: due, clock: .continuous)
                    }
                    if free == 0 {
                        try await group.next()
                        free += 1
                    }
                    free -= 1
                    group.addTask { [sink, tally] in
                        let arrived = try await sink.write(batch)
                        tally.change { $0.lines += arrived }
                    }
                    number += 1
                }
                try await group.waitForAll()
            }
        } catch {
            // The fault that ended the run is the one to report, not what closing says after it.
            try? await sink.finish()
            throw error
        }
        try await sink.finish()
    }

    /// The next events; none at the end.
    private static func batch(of size: Int, number: Int, from generator: inout RequestGenerator) -> SeedBatch {
        var batch = SeedBatch(
            number: number,
            first: generator.produced + 1,
            requests: [],
            catalog: generator.catalog
        )
        batch.requests.reserveCapacity(size)
        while batch.requests.count < size, let request = generator.next() {
            batch.requests.append(request)
        }
        return batch
    }
}
