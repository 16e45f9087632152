import Records
import Testing

/// The bytes of each type against those that PostgreSQL 15 printed with `COPY (SELECT …) TO STDOUT (FORMAT binary)`.
@Suite struct FieldEncodingTests {
    private final class NoLayouts: LayoutSource {
        func layout(of fingerprint: Fingerprint) -> RowLayout? { nil }
    }

    private func bytes(_ append: (RowBatch) throws -> Void) rethrows -> [UInt8] {
        let batch = RowBatch(layouts: NoLayouts())
        try append(batch)
        return Array(batch.bytes)
    }

    private func digits(_ text: StaticString, point: Int, negative: Bool = false, exponent: Int = 0) -> DecimalDigits {
        let bytes = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return DecimalDigits(
            isNegative: negative,
            integer: UnsafeRawBufferPointer(rebasing: bytes[..<point]),
            fraction: UnsafeRawBufferPointer(rebasing: bytes[point...]),
            exponent: exponent
        )
    }

    @Test func scalars() {
        #expect(bytes { $0.appendNull() } == hex("ffffffff"))
        #expect(bytes { $0.append(bool: true) } == hex("00000001 01"))
        #expect(bytes { $0.append(int2: -2) } == hex("00000002 fffe"))
        #expect(bytes { $0.append(int4: 123_456_789) } == hex("00000004 075bcd15"))
        #expect(bytes { $0.append(int8: -9_007_199_254_740_993) } == hex("00000008 ffdfffffffffffff"))
        #expect(bytes { $0.append(float4: 1.5) } == hex("00000004 3fc00000"))
        #expect(bytes { $0.append(float8: -0.1) } == hex("00000008 bfb999999999999a"))
        #expect(bytes { $0.append(text: "héllo") } == hex("00000006 68c3a96c6c6f"))
        #expect(bytes { $0.append(jsonb: #"{"a": 1}"#) } == hex("00000009 01 7b2261223a20317d"))
        #expect(
            bytes { $0.append(uuidHigh: 0xA0EE_BC99_9C0B_4EF8, low: 0xBB6D_6BB9_BD38_0A11) }
                == hex("00000010 a0eebc999c0b4ef8bb6d6bb9bd380a11")
        )
    }

    @Test func times() {
        #expect(bytes { $0.append(timestamp: 820_638_245_123_456) } == hex("00000008 0002ea5dbb16f580"))
        #expect(bytes { $0.append(timestamp: TimestampLimits.infinity) } == hex("00000008 7fffffffffffffff"))
        #expect(bytes { $0.append(date: -1) } == hex("00000004 ffffffff"))
        #expect(bytes { $0.append(date: Int32(DateLimits.last)) } == hex("00000004 7fda970c"))
        #expect(bytes { $0.append(date: Int32(DateLimits.first)) } == hex("00000004 ffda97a7"))
    }

    @Test func addresses() {
        let host = NetworkAddress(isIPv6: false, high: 0, low: 0x0A01_0203, bits: 32)
        let net = NetworkAddress(isIPv6: false, high: 0, low: 0x0A00_0000, bits: 8)
        let six = NetworkAddress(isIPv6: true, high: 0x2001_0DB8_0000_0000, low: 1, bits: 128)
        #expect(bytes { $0.append(inet: host) } == hex("00000008 02200004 0a010203"))
        #expect(bytes { $0.append(cidr: net) } == hex("00000008 02080104 0a000000"))
        #expect(bytes { $0.append(inet: six) } == hex("00000014 03800010 20010db8000000000000000000000001"))
    }

    @Test func arrays() {
        #expect(
            bytes { $0.append(textArray: ["a", nil, "b c"]) }
                == hex(
                    """
                    00000024 00000001 00000001 00000019 00000003 00000001 00000001 61 ffffffff 00000003 622063
                    """
                )
        )
        #expect(bytes { $0.append(textArray: []) } == hex("0000000c 00000000 00000000 00000019"))
        #expect(
            bytes { $0.append(int8Array: [1, nil, -1]) }
                == hex(
                    "00000030 00000001 00000001 00000014 00000003 00000001 00000008 0000000000000001 ffffffff"
                        + "00000008 ffffffffffffffff"
                )
        )
        #expect(
            bytes { $0.append(float8Array: [1.5, nil]) }
                == hex(
                    "00000024 00000001 00000001 000002bd 00000002 00000001 00000008 3ff8000000000000 ffffffff"
                )
        )
    }

    @Test func numericDigits() throws {
        #expect(try bytes { try $0.append(numeric: digits("0", point: 1)) } == hex("00000008 0000 0000 0000 0000"))
        #expect(try bytes { try $0.append(numeric: digits("000", point: 1)) } == hex("00000008 0000 0000 0000 0002"))
        #expect(
            try bytes { try $0.append(numeric: digits("12345678", point: 5, negative: true)) }
                == hex("0000000e 0003 0001 4000 0003 0001 0929 1a7c")
        )
        #expect(
            try bytes { try $0.append(numeric: digits("000012345", point: 1)) }
                == hex("0000000c 0002 ffff 0000 0008 0001 0929")
        )
        #expect(
            try bytes { try $0.append(numeric: digits("1", point: 1, exponent: 20)) }
                == hex("0000000a 0001 0005 0000 0000 0001")
        )
        #expect(
            try bytes { try $0.append(numeric: digits("1", point: 1, exponent: -10)) }
                == hex("0000000a 0001 fffd 0000 000a 0064")
        )
        #expect(bytes { $0.append(numeric: .notANumber) } == hex("00000008 0000 0000 c000 0000"))
        #expect(bytes { $0.append(numeric: .infinity) } == hex("00000008 0000 0000 d000 0020"))
        #expect(bytes { $0.append(numeric: .minusInfinity) } == hex("00000008 0000 0000 f000 0020"))
    }

    @Test func numericRoundsHalfAwayFromZeroToTheColumnsScale() throws {
        func rounded(_ digits: DecimalDigits, _ precision: Int, _ scale: Int) throws -> [UInt8] {
            let limits = Column.NumericLimits(precision: precision, scale: scale)
            return try bytes { try $0.append(numeric: digits, limits: limits) }
        }
        #expect(try rounded(digits("125", point: 2), 10, 2) == hex("0000000c 0002 0000 0000 0002 000c 1388"))
        #expect(try rounded(digits("05", point: 1), 1, 0) == hex("0000000a 0001 0000 0000 0000 0001"))
        #expect(try rounded(digits("999995", point: 3), 6, 2) == hex("0000000a 0001 0000 0000 0002 03e8"))
        #expect(try rounded(digits("0004", point: 1, negative: true), 4, 2) == hex("00000008 0000 0000 0000 0002"))
        #expect(try rounded(digits("1250", point: 4), 3, -2) == hex("0000000a 0001 0000 0000 0000 0514"))
        #expect(throws: NumericField.Overflow.self) { try rounded(digits("9995", point: 1), 3, 2) }
        #expect(throws: NumericField.Overflow.self) { try rounded(digits("001", point: 1), 3, 5) }
    }

    @Test func numericHasLimitsOfItsOwn() throws {
        _ = try bytes { try $0.append(numeric: digits("1", point: 1, exponent: 131_071)) }
        _ = try bytes { try $0.append(numeric: digits("1", point: 1, exponent: -16_383)) }
        for exponent in [131_072, -16_384, DecimalDigits.exponentLimit, -DecimalDigits.exponentLimit] {
            #expect(throws: NumericField.Overflow.self) {
                try bytes { try $0.append(numeric: digits("1", point: 1, exponent: exponent)) }
            }
        }
    }

    @Test func rowsEndTogether() {
        let batch = RowBatch(layouts: NoLayouts())
        for value in 0..<3 {
            batch.beginRow(fieldCount: 1)
            batch.append(int2: Int16(value))
        }
        batch.endRows(Fingerprint(7), count: 3)
        #expect(batch.rowCount == 3)
        #expect(batch.runs.map(\.rows) == [3])
        #expect(batch.runs.map(\.endByte) == [24])
    }
}
