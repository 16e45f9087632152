import Records
import Testing

@testable import Delivery

/// Method: rows of two text columns and a number, in slices of any size; the sequence is compared with a stable sort by the order in which the
/// groups first came.
struct RowGrouperTests {
    private struct Row: Hashable {
        var service: String?
        var endpoint: String
    }

    private func tuple(_ row: Row, number: Int) -> [UInt8] {
        var bytes: [UInt8] = [0, 3]
        func add(_ field: [UInt8]?) {
            withUnsafeBytes(of: Int32(field?.count ?? -1).bigEndian) { bytes += $0 }
            bytes += field ?? []
        }
        add(row.service.map { Array($0.utf8) })
        add(withUnsafeBytes(of: Int64(number).bigEndian) { Array($0) })
        add(Array(row.endpoint.utf8))
        return bytes
    }

    /// Slices of `size` rows; the first row of each chunk is no part of its slice.
    private func slices(_ rows: [Row], of size: Int) -> [Flush.Slice] {
        stride(from: 0, to: rows.count, by: size).map { start in
            let part = rows[start..<min(start + size, rows.count)]
            let before = tuple(Row(service: "not sent", endpoint: ""), number: -1)
            let bytes = before + part.enumerated().flatMap { tuple($1, number: start + $0) }
            return Flush.Slice(
                chunk: RowChunk(
                    fingerprint: Fingerprint(1),
                    first: Offset(UInt64(start + 1)),
                    count: part.count + 1,
                    bytes: bytes
                ),
                first: Offset(UInt64(start + 2)),
                rows: part.count,
                range: before.count..<bytes.count
            )
        }
    }

    private func numbers(_ sequence: [Flush.RowPlace], _ slices: [Flush.Slice]) -> [Int] {
        sequence.map { place in
            let bytes = slices[Int(place.slice)].chunk.bytes
            let start = Int(place.start)
            let service = bytes[(start + 2)..<(start + 6)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let number = start + 10 + (service == .max ? 0 : Int(service))
            return Int(bytes[number..<number + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }

    private func expected(_ rows: [Row], _ key: (Row) -> Row) -> [Int] {
        var order: [Row: Int] = [:]
        for row in rows where order[key(row)] == nil { order[key(row)] = order.count }
        return rows.indices.sorted { (order[key(rows[$0])]!, $0) < (order[key(rows[$1])]!, $1) }
    }

    private func random(_ count: Int, seed: UInt64) -> [Row] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let service = Int.random(in: 0..<6, using: &random)
            let endpoint = Int.random(in: 0..<4, using: &random)
            return Row(
                service: service == 0 ? nil : String(repeating: "s", count: service * 3),
                endpoint: String(repeating: "e", count: endpoint * 5)
            )
        }
    }

    private func expectNone(
        _ slices: [Flush.Slice],
        by columns: [Int],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var grouper = RowGrouper()
        let sequence = grouper.sequence(of: slices, by: columns)
        #expect(sequence == nil, sourceLocation: sourceLocation)
    }

    @Test(arguments: [1, 7, 100, 1_000])
    func equalValuesStandTogetherAndKeepTheirOrder(size: Int) {
        var grouper = RowGrouper()
        // Twice, because the grouper keeps its memory.
        for seed in UInt64(1)...2 {
            let rows = random(1_000, seed: seed)
            let slices = slices(rows, of: size)
            let both = grouper.sequence(of: slices, by: [0, 2])
            #expect(both.map { numbers($0, slices) } == expected(rows) { $0 })
            let one = grouper.sequence(of: slices, by: [2])
            #expect(one.map { numbers($0, slices) } == expected(rows) { Row(service: nil, endpoint: $0.endpoint) })
        }
    }

    @Test func aPlaceSaysWhichRowItIs() throws {
        var grouper = RowGrouper()
        let slices = slices(random(300, seed: 3), of: 100)
        let found = grouper.sequence(of: slices, by: [0, 2])
        let sequence = try #require(found)
        let layout = RowLayout(stream: "s", table: TableName(schema: "public", name: "t"), columns: [])
        let part = Flush.Part(layout: layout, slices: slices, sequence: sequence)
        // Row n of the fixture has the number n and stands at n + 2, for each chunk begins with a row that is not sent.
        #expect(
            sequence.indices.map { part.offset(ofRow: $0) } == numbers(sequence, slices).map { Offset(UInt64($0 + 2)) }
        )
        #expect(part.offset(ofRow: 300) == nil)
    }

    @Test func nothingIsMovedWhereItWouldNotHelp() {
        let same = slices(Array(repeating: Row(service: "a", endpoint: "b"), count: 10), of: 5)
        expectNone(same, by: [0, 2])
        let different = slices((0..<10).map { Row(service: "\($0)", endpoint: "b") }, of: 5)
        expectNone(different, by: [0, 2])
        let few = slices([Row(service: "a", endpoint: "b"), Row(service: "b", endpoint: "b")], of: 5)
        expectNone(few, by: [0, 2])
        expectNone(slices(random(100, seed: 4), of: 10), by: [])
        expectNone(slices(random(100, seed: 4), of: 10), by: [3])
    }

    @Test func tooManyGroupsAreNone() {
        let rows = (0..<3 * RowGrouper.maximumGroups).map { Row(service: "\($0 % 6000)", endpoint: "") }
        expectNone(slices(rows, of: 500), by: [0])
        let fewer = (0..<3 * RowGrouper.maximumGroups).map { Row(service: "\($0 % 3000)", endpoint: "") }
        var grouper = RowGrouper()
        let sequence = grouper.sequence(of: slices(fewer, of: 500), by: [0])
        #expect(sequence?.count == fewer.count)
    }

    /// What is no whole row is left to the server to refuse.
    @Test func rowsThatAreNoneStayAsTheyCame() {
        for cut in 1...40 {
            var slices = slices(random(100, seed: 5), of: 50)
            slices[1].range = slices[1].range.lowerBound..<slices[1].range.upperBound - cut
            expectNone(slices, by: [0, 2])
        }
    }
}
