// Method: a real queue in a directory, and no PostgreSQL at all.

import DurableQueue
import Foundation
import LibPQClient
import Logging
import Records
import Testing
import Topology

@testable import ForebayRuntime

@Suite
struct UpkeepTests {
    private struct NoPrimary: PrimaryDirectory {
        var choice: PrimaryChoice { .none(.away) }
        func lookAgain() {}
    }

    /// Found by the drill syscall-fail: one failed opendir kept every stream waiting for as long as PostgreSQL was away.
    @Test
    func tablesThatCouldNotBeReadAtTheStartAreReadLater() throws {
        try withDirectory { directory in
            var log = Logger(label: "test")
            log.logLevel = .critical
            let queue = try DurableQueue.open(
                QueueConfiguration(
                    path: directory.path + "/queue",
                    lanes: 1,
                    maxBytes: 64 << 20,
                    segmentBytes: 256 << 10
                ),
                log: log
            )
            defer { queue.close() }
            let table = TableName(schema: "public", name: "readings")
            try queue.cache(
                StreamSchema(stream: "readings", table: table, columns: [Column(name: "id", type: .int8)])
            )
            let streams = StreamRegistry([ForebayConfiguration.Stream(name: "readings", table: table)])
            let upkeep = Upkeep(
                primaries: NoPrimary(),
                connection: ConnectionSettings(),
                streams: streams,
                queue: queue,
                deadLetters: try DeadLetterCabinet.open(queue, log: log),
                log: log
            )

            let schemas = queue.configuration.path + "/schemas"
            try FileManager.default.moveItem(atPath: schemas, toPath: schemas + ".away")
            upkeep.useCache()
            #expect(streams.waiting.count == 1)
            try FileManager.default.moveItem(atPath: schemas + ".away", toPath: schemas)

            try upkeep.start()
            defer { upkeep.stop() }
            let deadline = ContinuousClock.now + .seconds(20)
            while streams.plan(for: "readings") == nil, ContinuousClock.now < deadline { usleep(5_000) }
            #expect(streams.plan(for: "readings") != nil)
        }
    }
}
