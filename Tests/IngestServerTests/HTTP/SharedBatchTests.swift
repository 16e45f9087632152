import Instruments
import Records
import Testing

@testable import IngestServer

/// Requests that one turn of an event loop brings share an append. Here they come in one piece on one connection, so that
/// they are one turn's for sure.
@Suite struct SharedBatchTests {
    @Test func everyRequestGetsTheReceiptOfItsOwnLastEvent() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let bodies = [#"{"id":1}"#, #"[{"id":2},{"id":3},{"id":4}]"#, #"{"id":5}"#]
            try client.send(bodies.map { RunningServer.post($0) }.joined())
            for (count, offset) in [(1, 1), (3, 4), (1, 5)] {
                let receipt = "\(ScriptedBackend.queueText).0.\(offset)"
                #expect(try await client.response().body == #"{"accepted":\#(count),"receipt":"\#(receipt)"}"#)
            }
            #expect(running.backend.appended.map(\.batch.rowCount) == [5])
        }
    }

    @Test func aRequestThatIsRefusedLeavesNothingBehind() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let requests = [
                RunningServer.post(#"{"id":1}"#),
                RunningServer.post("{\"id\":2}\n{\"id\":\"no\"}"),
                // Here a row is taken before the structure breaks, which refuses the request although others may be skipped.
                RunningServer.post(#"[{"id":3},{"id":4"#, query: "?on_error=skip"),
                RunningServer.post("{\"id\":5}\n{\"id\":\"no\"}", query: "?on_error=skip"),
                RunningServer.post(#"{"id":6}"#),
            ]
            try client.send(requests.joined())
            for (status, offset) in [(200, 1), (400, 0), (400, 0), (200, 2), (200, 3)] {
                let response = try await client.response()
                #expect(response.status == status)
                if status == 200 { #expect(response.body.contains(".0.\(offset)\"")) }
            }
            let batch = try #require(running.backend.appended.first?.batch)
            #expect(running.backend.appended.count == 1)
            #expect(try Self.ids(of: batch) == [1, 5, 6])
        }
    }

    @Test func anOutcomeThatStoredNothingIsEveryRequestsAnswer() async throws {
        try await RunningServer.run { running in
            running.backend.script(.full, .failed(reason: "the disk"))
            let client = try running.http()
            let two = RunningServer.post(#"{"id":1}"#) + RunningServer.post(#"{"id":2}"#)
            try client.send(two)
            for _ in 0..<2 { #expect(try await client.response().status == 503) }
            try client.send(two)
            for _ in 0..<2 { #expect(try await client.response().status == 503) }
            try client.send(two)
            for offset in 1...2 { #expect(try await client.response().body.hasSuffix(".0.\(offset)\"}")) }
            #expect(running.server.instruments.inFlightBytes.value == 0)
        }
    }

    @Test func aKeyedRequestStandsAloneAndKeepsItsPlace() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let key = "Idempotency-Key: k\r\n"
            try client.send(
                RunningServer.post(#"{"id":1}"#) + RunningServer.post(#"{"id":2}"#, fields: key)
                    + RunningServer.post(#"{"id":3}"#)
            )
            for offset in 1...3 { #expect(try await client.response().body.hasSuffix(".0.\(offset)\"}")) }
            let appended = running.backend.appended
            #expect(try appended.flatMap { try Self.ids(of: $0.batch) } == [1, 2, 3])
            #expect(appended.map { $0.keyed != nil } == [false, true, false])
        }
    }

    @Test func whatIsMoreThanABlockIsHandedOverInParts() async throws {
        try await RunningServer.run { running in
            let client = try running.http()
            let body = #"{"id":1,"name":"\#(String(repeating: "n", count: SharedBatch.limit / 3))"}"#
            try client.send((0..<7).map { _ in RunningServer.post(body) }.joined())
            for offset in 1...7 { #expect(try await client.response().body.hasSuffix(".0.\(offset)\"}")) }
            #expect(running.backend.appended.allSatisfy { $0.batch.byteCount <= SharedBatch.limit })
            #expect(running.backend.rowCount == 7)
        }
    }

    @Test func aStretchEndsWithATurn() {
        var stretch = LaneStretch(lane: 1)
        stretch.add(LaneStretch.bytes)
        #expect(stretch.lane == 1)
        stretch.endTurn()
        #expect(stretch.lane == 2)
        stretch.add(LaneStretch.bytes - 1)
        stretch.endTurn()
        #expect(stretch.lane == 2)
        #expect(Set((0..<5).map { LaneChoice.any($0).lane(of: 3) }) == [0, 1, 2])
    }

    /// The first column of each row, which is an int4.
    private static func ids(of batch: RowBatch) throws -> [Int32] {
        var reader = TupleReader(batch.bytes)
        var fields: [Range<Int>?] = []
        var ids: [Int32] = []
        while try reader.next(fields: &fields) != nil {
            let field = try #require(fields[0])
            ids.append(
                Int32(bigEndian: batch.bytes.loadUnaligned(fromByteOffset: field.lowerBound, as: Int32.self))
            )
        }
        return ids
    }
}
