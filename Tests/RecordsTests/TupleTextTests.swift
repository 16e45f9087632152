import Records
import Testing

/// The JSON of each type's binary form, and what is said of bytes that have none.
@Suite struct TupleTextTests {
    private func text(_ type: ColumnType, _ field: String) throws(TupleFault) -> String {
        let layout = RowLayout(
            stream: "s",
            table: TableName(schema: "public", name: "t"),
            columns: [RowLayout.Field(name: "c", type: type)]
        )
        let line = try TupleText.line(hex("0001" + field), layout: layout)
        return String(line.dropFirst(5).dropLast())
    }

    @Test(
        arguments: [
            (.bool, "00000001 01", "true"), (.bool, "00000001 00", "false"), (.int2, "00000002 fffe", "-2"),
            (.int4, "00000004 075bcd15", "123456789"), (.int8, "00000008 8000000000000000", "-9223372036854775808"),
            (.float4, "00000004 3dcccccd", "0.1"), (.float8, "00000008 bfb999999999999a", "-0.1"),
            (.float8, "00000008 7ff8000000000000", #""NaN""#), (.float4, "00000004 ff800000", #""-Infinity""#),
            (.float8, "00000008 0000000000000001", "5e-324"), (.float8, "00000008 8000000000000000", "-0.0"),
            (.numeric, "0000000e 0003 0001 4000 0003 0001 0929 1a7c", "-12345.678"),
            (.numeric, "00000008 0000 0000 0000 0002", "0.00"),
            (.numeric, "0000000a 0001 fffd 0000 000a 0064", "0.0000000001"),
            (.numeric, "0000000a 0001 0005 0000 0000 0001", "100000000000000000000"),
            (.numeric, "00000008 0000 0000 d000 0020", #""Infinity""#),
            (.text, "00000005 61 22 5c 0a 1f", #""a\"\\\n\u001f""#), (.varchar, "00000002 c3a9", #""é""#),
            (.timestamptz, "00000008 0002ea5dbb16f580", #""2026-01-02T03:04:05.123456Z""#),
            (.timestamptz, "00000008 7fffffffffffffff", #""infinity""#),
            (.timestamp, "00000008 fd0f7fbdaf17e000", #""4713-01-01T00:00:00 BC""#),
            (.timestamp, "00000008 ffffffffffffffff", #""1999-12-31T23:59:59.999999""#),
            (.date, "00000004 7fda970c", #""5874897-12-31""#), (.date, "00000004 ffda97a7", #""4714-11-24 BC""#),
            (.uuid, "00000010 a0eebc999c0b4ef8bb6d6bb9bd380a11", #""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
            (.inet, "00000008 02200004 0a010203", #""10.1.2.3""#),
            (.inet, "00000008 02080004 0a010203", #""10.1.2.3/8""#),
            (.cidr, "00000008 02080104 0a000000", #""10.0.0.0/8""#),
            (.inet, "00000014 03800010 20010db8000000000000000000000001", #""2001:db8::1""#),
            (.inet, "00000014 03800010 00000000000000000000000000000000", #""::""#),
            (.cidr, "00000014 03200110 20010db8000000000000000000000000", #""2001:db8::/32""#),
            (.json, "00000007 7b 0a 22 61 22 3a 31 7d".replacingLength(8), "{ \"a\":1}"),
            (.jsonb, "00000004 01 5b315d", "[1]"), (.bytea, "00000003 00ff10", #""\\x00ff10""#),
            (
                .textArray,
                "00000020 00000001 00000001 00000019 00000002 00000001 00000001 61 ffffffff".replacingLength(29),
                #"["a",null]"#
            ),
            (.int8Array, "0000000c 00000000 00000000 00000014", "[]"), (.text, "ffffffff", "null"),
        ] as [(ColumnType, String, String)]
    )
    func values(type: ColumnType, field: String, expected: String) throws {
        #expect(try text(type, field) == expected)
    }

    @Test(
        arguments: [
            (.bool, "00000001 02", "neither 0 nor 1"), (.int4, "00000002 0001", "2 bytes instead of 4"),
            (.text, "00000001 ff", "not UTF-8"), (.jsonb, "00000002 02 31", "not version 1 of jsonb"),
            (.timestamptz, "00000008 7ffffffffffffffe", "beyond the range of times"),
            (.numeric, "0000000a 0001 0000 0000 0000 2710", "a digit of 10000 to base 10000"),
            (.numeric, "00000008 0000 0000 1234 0000", "no sign"),
            (.inet, "00000008 05200004 0a010203", "no address family"),
            (.cidr, "00000008 02080104 0a000001", "bits set beyond the prefix"),
            (.int8Array, "0000000c 00000000 00000000 00000019", "no array of that type"),
        ] as [(ColumnType, String, String)]
    )
    func nonsense(type: ColumnType, field: String, reason: String) {
        #expect(throws: TupleFault.badField(column: "c", type: type, reason: reason)) { try text(type, field) }
    }

    @Test func aRowMustBeOfItsLayout() {
        #expect(throws: TupleFault.layoutMismatch(fields: 2, columns: 1, offset: 0)) {
            let layout = RowLayout(
                stream: "s",
                table: TableName(schema: "public", name: "t"),
                columns: [RowLayout.Field(name: "c", type: .text)]
            )
            _ = try TupleText.line(hex("0002 ffffffff ffffffff"), layout: layout)
        }
    }

    @Test func longestRunOfZerosIsShortened() {
        func text(_ high: UInt64, _ low: UInt64) -> String {
            NetworkAddress(isIPv6: true, high: high, low: low, bits: 128).addressText
        }
        #expect(text(0x2001_0000_0000_0001, 0x0000_0000_0000_0001) == "2001:0:0:1::1")
        #expect(text(0x2001_0DB8_0000_0001, 0x0001_0001_0001_0001) == "2001:db8:0:1:1:1:1:1")
        #expect(text(1, 0) == "0:0:0:1::")
    }
}

extension String {
    /// The same field with its first four bytes replaced by the given length.
    fileprivate func replacingLength(_ length: Int) -> String {
        let digits = String(length, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits + dropFirst(8)
    }
}
