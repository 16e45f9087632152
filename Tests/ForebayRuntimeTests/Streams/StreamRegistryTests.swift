// Method: install schemas as the catalogue would give them, and ask for plans.

import IngestFormats
import Records
import Testing

@testable import ForebayRuntime

@Suite
struct StreamRegistryTests {
    private let table = TableName(schema: "public", name: "readings")

    private func schema(_ columns: [Column]) -> StreamSchema {
        StreamSchema(stream: "readings", table: table, columns: columns)
    }

    @Test
    func aStreamIsAwaitedUntilItsTableIsRead() throws {
        let registry = StreamRegistry([ForebayConfiguration.Stream(name: "readings", table: table)])
        registry.note("PostgreSQL is away", for: "readings")
        guard case .awaitingTable(let reason) = registry.availability(of: "readings") else {
            Issue.record("the stream is not awaited")
            return
        }
        #expect(reason == "PostgreSQL is away")
        #expect(try registry.install(schema([Column(name: "id", type: .int8)])))
        #expect(registry.plan(for: "readings") != nil)
        #expect(registry.waiting.isEmpty)
    }

    @Test
    func anUnchangedTableKeepsItsPlanAndAChangedOneGetsANewOne() throws {
        let registry = StreamRegistry([ForebayConfiguration.Stream(name: "readings", table: table)])
        _ = try registry.install(schema([Column(name: "id", type: .int8)]))
        let first = try #require(registry.plan(for: "readings"))
        #expect(try !registry.install(schema([Column(name: "id", type: .int8)])))
        #expect(registry.plan(for: "readings") === first)
        #expect(try registry.install(schema([Column(name: "id", type: .int4)])))
        #expect(registry.plan(for: "readings") !== first)
    }

    @Test
    func aStreamThatIsNotConfiguredIsUnknown() throws {
        let registry = StreamRegistry([])
        guard case .unknown = registry.availability(of: "readings") else {
            Issue.record("the stream is known")
            return
        }
        #expect(try !registry.install(schema([Column(name: "id", type: .int8)])))
        #expect(registry.plan(for: "readings") == nil)
    }

    @Test
    func aMappingThatDoesNotFitIsAFaultAndLeavesTheStreamWaiting() {
        var stream = ForebayConfiguration.Stream(name: "readings", table: table)
        stream.extra = "tags"
        let registry = StreamRegistry([stream])
        #expect(throws: PlanFault.extraIsNoColumn("tags")) {
            try registry.install(schema([Column(name: "id", type: .int8)]))
        }
        #expect(registry.plan(for: "readings") == nil)
    }
}
