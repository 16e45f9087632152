import AgentKit
import DurableQueue
import Foundation
import Glibc
import LocalPostgres
import ProvingGround
import Records
import SegmentedLog

/// A queue filled once through the front door, kept aside, and put back before each drain; and the same rows for a bare client.
final class Backlog {
    let yard: Yard
    let events: Int
    private let aside: String
    private let rowsPerTransaction = 10_000
    private var prepared: [[[UInt8]]] = []
    private var digests: [String: String] = [:]

    init(_ yard: Yard, events: Int) {
        self.yard = yard
        self.events = events
        aside = "\(yard.directory)/queue-filled"
    }

    /// Has the proxy accept the events while PostgreSQL is away.
    func fill() async throws {
        try startAfresh(yard)
        try yard.cluster.primary.stop(.fast)
        let tally = SendTally()
        let client = IngestClient(
            settings: IngestClient.Settings(url: "http://127.0.0.1:\(yard.httpPort)", stream: "apirequests"),
            connections: 8
        )
        let now = Timestamp.now
        let run = SeedRun(
            generator: RequestGenerator(
                seed: 1,
                count: events,
                from: Timestamp(microseconds: now.microseconds - 60 * Timestamp.microsecondsPerSecond),
                to: now
            ),
            batchSize: 1000,
            rate: nil,
            sink: APISeedSink(
                courier: Courier(
                    transport: client,
                    policy: BatchDelivery.Policy(),
                    tally: tally,
                    refused: { place, reason in say("event of \(place): \(reason)") }
                ),
                keyPrefix: "backlog",
                parallelism: 8
            ),
            stop: StopSignal(),
            tally: tally
        )
        do {
            try await run.run()
        } catch {
            await client.close()
            throw error
        }
        await client.close()
        let queued = Int(try yard.metric("forebay_queued_events"))
        guard tally.snapshot.refused == 0, queued == events else {
            throw YardFault("the queue holds \(queued) events, not \(events)")
        }
        try yard.stopProxy()
        try yard.cluster.primary.start()
        try FileManager.default.moveItem(atPath: yard.queueDirectory, toPath: aside)
        say("a queue of \(events) events is filled")
    }

    /// Puts the filled queue into its place, on disk.
    func restore() throws {
        try FileManager.default.createDirectory(atPath: yard.queueDirectory, withIntermediateDirectories: true)
        try FileManager.default.removeItem(atPath: yard.queueDirectory)
        try capture("cp", ["-a", aside, yard.queueDirectory])
    }

    /// An empty table, an empty ledger, and nothing left to write for PostgreSQL or the kernel, nor to replay for a replica.
    func clearTable() throws {
        try yard.query("TRUNCATE apirequests, forebay.ledger")
        try yard.query("CHECKPOINT")
        try yard.cluster.waitForReplicas(timeout: .seconds(300))
        sync()
    }

    /// The rows of each lane in their order, as tuples of COPY's binary format, by transactions. Read out of the queue once.
    func transactions() throws -> [[[UInt8]]] {
        if !prepared.isEmpty { return prepared }
        let inspector = try QueueInspector(path: aside, keyRing: KeyRing())
        for lane in try inspector.lanes() {
            var transactions: [[UInt8]] = []
            var rows = 0
            let lost = try inspector.events(of: lane, from: nil, to: nil) { event in
                if rows % rowsPerTransaction == 0 {
                    transactions.append([])
                    transactions[transactions.count - 1].reserveCapacity(rowsPerTransaction * 340)
                }
                transactions[transactions.count - 1].append(contentsOf: event.tuple)
                rows += 1
                return true
            }
            guard lost.isEmpty else { throw YardFault("lane \(lane) can not be read") }
            prepared.append(transactions)
        }
        return prepared
    }

    /// Compares what a contender left in the table with what the others left; looks once at each.
    func expectSameRows(after contender: String) throws {
        guard digests[contender] == nil else { return }
        let digest = try yard.query("SELECT sum(hashtextextended(r::text, 0)::numeric) FROM apirequests r")
        digests[contender] = digest
        guard Set(digests.values).count == 1 else {
            throw YardFault("the contenders did not leave the same rows: \(digests)")
        }
    }
}
