import Records
import Testing

@testable import ForebayRuntime

@Suite struct LastWritesTests {
    private func memory(_ ttl: Duration) -> LastWrites? {
        var settings = ForebayConfiguration.Read()
        settings.readAfterWriteTTL = ttl
        return LastWrites(settings)
    }

    private func position(_ lane: UInt16, _ offset: UInt64) throws -> Position {
        try #require(Position(receipt: "00000000-0000-0000-0000-000000000001.\(lane).\(offset)"))
    }

    @Test func noTimeIsNoMemory() {
        #expect(memory(.zero) == nil)
    }

    @Test func theLastOfEachLaneCounts() throws {
        let writes = try #require(memory(.seconds(60)))
        writes.note("a", upTo: try position(0, 5))
        writes.note("a", upTo: try position(1, 2))
        // Outcomes of several loops come in any order.
        writes.note("a", upTo: try position(0, 3))
        #expect(try Set(writes.positions(of: "a")) == [position(0, 5), position(1, 2)])
        #expect(writes.positions(of: "b").isEmpty)
    }

    @Test func whoIsNobodyIsEverybody() throws {
        let writes = try #require(memory(.seconds(60)))
        writes.note("", upTo: try position(0, 5))
        #expect(try writes.positions(of: "b") == [position(0, 5)])
    }

    @Test func timeEndsIt() async throws {
        let writes = try #require(memory(.milliseconds(1)))
        writes.note("a", upTo: try position(0, 5))
        try await Task.sleep(for: .milliseconds(5))
        #expect(writes.positions(of: "a").isEmpty)
    }
}
