import Records
import Testing

/// Walks over good tuples, over every torn prefix of them, and over random bytes: typed errors, never a trap.
@Suite struct TupleReaderTests {
    private static let two = hex("0002 00000001 61 ffffffff  0001 00000000")

    private func ranges(_ bytes: [UInt8], count: Int) throws(TupleFault) -> [Range<Int>] {
        try RowChunk(fingerprint: Fingerprint(1), first: Offset(1), count: count, bytes: bytes).rowRanges()
    }

    @Test func rowsAndFields() throws {
        #expect(try ranges(Self.two, count: 2) == [0..<11, 11..<17])
        try Self.two.withUnsafeBytes { (bytes) throws in
            var reader = TupleReader(bytes)
            var fields: [Range<Int>?] = []
            #expect(try reader.next(fields: &fields) == 0..<11)
            #expect(fields == [6..<7, nil])
            #expect(try reader.next(fields: &fields) == 11..<17)
            #expect(fields == [17..<17])
            #expect(try reader.next(fields: &fields) == nil)
        }
    }

    @Test func tornAtEveryByte() {
        for length in 1..<Self.two.count where length != 11 {
            #expect(throws: TupleFault.truncated(offset: length < 11 ? 0 : 11)) {
                try ranges(Array(Self.two[..<length]), count: 2)
            }
        }
        #expect(throws: TupleFault.badRowCount(found: 1, expected: 2)) {
            try ranges(Array(Self.two[..<11]), count: 2)
        }
        #expect(throws: TupleFault.badRowCount(found: 2, expected: 1)) { try ranges(Self.two, count: 1) }
    }

    @Test func lengthsThatLie() {
        #expect(throws: TupleFault.badFieldCount(-1, offset: 0)) { try ranges(hex("ffff"), count: 1) }
        #expect(throws: TupleFault.badLength(-2, offset: 2)) { try ranges(hex("0001 fffffffe"), count: 1) }
        #expect(throws: TupleFault.truncated(offset: 0)) { try ranges(hex("0001 7fffffff 00"), count: 1) }
        #expect(throws: TupleFault.truncated(offset: 0)) { try ranges(hex("7fff"), count: .max) }
    }

    @Test(arguments: [1, 2, 3])
    func randomBytesNeverTrap(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let columns = ColumnType.allCases.map { RowLayout.Field(name: $0.rawValue, type: $0) }
        let table = TableName(schema: "public", name: "t")
        for _ in 0..<5000 {
            let type = Int(random.next() % UInt64(columns.count))
            let layout = RowLayout(stream: "s", table: table, columns: [columns[type]])
            let field = (0..<Int(random.next() % 40)).map { _ in
                random.next() & 1 == 0
                    ? UInt8(truncatingIfNeeded: random.next() & 3) : UInt8.random(in: 0...255, using: &random)
            }
            let row = hex("0001 000000") + [UInt8(field.count)] + field
            _ = try? TupleText.line(row, layout: layout)
            _ = try? ranges(field, count: 1)
        }
    }
}

/// A small generator whose seed a failing test can print (S. Vigna's SplitMix64).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
