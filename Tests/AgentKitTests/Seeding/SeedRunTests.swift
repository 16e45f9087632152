import AgentKit
import Synchronization
import Testing

/// Method: a sink in memory, and the way through the API against a server on loopback that fails by a script.
struct SeedRunTests {
    private final class MemorySink: SeedSink {
        let parallelism = 3
        let fault: SeedFault?
        private let state = Mutex((lines: [Int](), finished: 0))

        init(fault: SeedFault? = nil) { self.fault = fault }

        func write(_ batch: SeedBatch) async throws -> Int {
            if let fault, batch.number == 2 { throw fault }
            state.withLock { $0.lines += batch.lines.lineNumbers }
            return batch.requests.count
        }

        func finish() async throws { state.withLock { $0.finished += 1 } }

        var lines: [Int] { state.withLock { $0.lines.sorted() } }
        var finished: Int { state.withLock { $0.finished } }
    }

    private func run(count: Int, into sink: any SeedSink, stop: StopSignal = StopSignal()) -> SeedRun {
        let now = Timestamp.now
        let before = Timestamp(microseconds: now.microseconds - 1_000_000_000)
        return SeedRun(
            generator: RequestGenerator(seed: 1, count: count, from: before, to: now),
            batchSize: 10,
            rate: nil,
            sink: sink,
            stop: stop,
            tally: SendTally()
        )
    }

    @Test func writesEveryEventOnce() async throws {
        let sink = MemorySink()
        let run = run(count: 95, into: sink)
        try await run.run()
        #expect(sink.lines == Array(1...95))
        #expect(sink.finished == 1)
        #expect(run.tally.snapshot.lines == 95)
    }

    @Test func aFaultEndsTheRunAndFinishesTheSink() async {
        let sink = MemorySink(fault: .cannotWrite)
        await #expect(throws: SeedFault.cannotWrite) { try await run(count: 1000, into: sink).run() }
        #expect(sink.finished == 1)
    }

    @Test func theStopSignalEndsTheRun() async throws {
        let stop = StopSignal()
        stop.raise()
        let sink = MemorySink()
        try await run(count: 1000, into: sink, stop: stop).run()
        #expect(sink.lines.isEmpty && sink.finished == 1)
    }

    @Test func throughTheAPINothingIsLostOrDoubled() async throws {
        let proxy = ScriptedProxy(script: { $0 % 4 == 1 ? .storeAndClose : $0 % 4 == 2 ? .refuse(503) : .accept })
        try await ScriptedServer.with(proxy) { port in
            let client = IngestClient(settings: .init(url: "http://127.0.0.1:\(port)", stream: "s"), connections: 2)
            let tally = SendTally()
            let courier = Courier(
                transport: client,
                policy: .init(backoff: Backoff(first: .milliseconds(1), most: .milliseconds(2))),
                tally: tally,
                refused: { _, _ in }
            )
            try await run(count: 200, into: APISeedSink(courier: courier, keyPrefix: "k", parallelism: 2)).run()
            await client.close()
        }
        #expect(proxy.contents.lines.count == 200)
        #expect(Set(proxy.contents.lines).count == 200)
    }
}
