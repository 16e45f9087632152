import Records
import SimulationKit
import Testing

@testable import Delivery

/// Method: rows of known lengths are found again; then the bytes are cut at every place, and given lengths that lie.
struct TupleWalkTests {
    private func chunk(_ bytes: [UInt8], count: Int) -> RowChunk {
        RowChunk(fingerprint: Fingerprint(1), first: Offset(1), count: count, bytes: bytes)
    }

    private let rows = (-1...3).map { EventRows.tuple(EventID(1), padding: $0) }

    @Test func rowsAreFoundWhereTheyBegin() throws {
        var walk = TupleWalk(chunk(rows.flatMap(\.self), count: rows.count))
        var start = 0
        for index in 0...rows.count {
            #expect(try walk.start(ofRow: index) == start)
            if index < rows.count { start += rows[index].count }
        }
    }

    @Test func bytesThatAreCutAnywhereAreNoRows() {
        let bytes = rows.flatMap(\.self)
        for length in 0..<bytes.count {
            var walk = TupleWalk(chunk(Array(bytes.prefix(length)), count: rows.count))
            #expect(throws: MalformedRows.self) { try walk.start(ofRow: rows.count) }
        }
        var long = TupleWalk(chunk(bytes + [0], count: rows.count))
        #expect(throws: MalformedRows.self) { try long.start(ofRow: rows.count) }
    }

    @Test(
        arguments: [
            [0xFF, 0xFF], [0x80, 0x00], [0, 1, 0xFF, 0xFF, 0xFF, 0xFE], [0, 1, 0x7F, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF],
        ] as [[UInt8]]
    )
    func lengthsThatLieAreNoRows(bytes: [UInt8]) {
        var walk = TupleWalk(chunk(bytes, count: 1))
        #expect(throws: MalformedRows.self) { try walk.start(ofRow: 1) }
    }
}
