import IngestFormats
import Records
import Testing

/// Each type's accepted forms, by the value that comes back, and its refused ones, by the reason.
@Suite struct ValueTests {
    @Test(
        arguments: [
            (.int2, "32767", "32767"), (.int2, "-32768", "-32768"), (.int2, "32768", "outOfRange"), (.int2, "0", "0"),
            (.int2, "-0", "0"), (.int2, "1.0", "1"), (.int2, "1e3", "1000"), (.int2, "12300e-2", "123"),
            (.int2, "1.5", "badValue"), (.int2, "1e-1", "badValue"), (.int2, "0e99999999999", "0"),
            (.int2, "1e99999999999999999999", "outOfRange"), (.int2, "1e-99999999999999999999", "badValue"),
            (.int2, "01", "malformed"), (.int2, "1.", "malformed"), (.int2, ".5", "malformed"),
            (.int2, "+1", "malformed"),
            (.int2, "-", "malformed"), (.int2, "1e", "malformed"), (.int2, "true", "wrongType"),
            (.int2, #""200""#, "200"), (.int2, #""""#, "badValue"), (.int2, #"" 1""#, "badValue"),
            (.int2, "{}", "wrongType"),
            (.int4, "2147483647", "2147483647"), (.int4, "2147483648", "outOfRange"),
            (.int4, "-2147483648", "-2147483648"),
            (.int8, "9223372036854775807", "9223372036854775807"), (.int8, "9223372036854775808", "outOfRange"),
            (.int8, "-9223372036854775808", "-9223372036854775808"), (.int8, "-9223372036854775809", "outOfRange"),
            (.int8, "9223372036854775807.000", "9223372036854775807"),
            (.int8, "922337203685477580.7e1", "9223372036854775807"),
            (.int8, "18446744073709551616", "outOfRange"), (.int8, #""+5""#, "5"),
        ] as [(ColumnType, String, String)]
    )
    func integers(type: ColumnType, json: String, expected: String) throws {
        #expect(try Bench(type).value(json) == expected)
    }

    @Test(
        arguments: [
            (.float8, "0.1", "0.1"), (.float8, "-0.0", "-0.0"), (.float8, "1e22", "1e+22"), (.float8, "1e23", "1e+23"),
            (.float8, "9007199254740993", "9007199254740992.0"),
            (.float8, "1.7976931348623157e308", "1.7976931348623157e+308"),
            (.float8, "1.7976931348623159e308", "outOfRange"), (.float8, "5e-324", "5e-324"),
            (.float8, "2e-324", "outOfRange"),
            (.float8, "0e5000", "0.0"), (.float8, "123456789012345678901234567890", "1.2345678901234568e+29"),
            (.float8, #""NaN""#, #""NaN""#), (.float8, #""-Infinity""#, #""-Infinity""#),
            (.float8, #""inf""#, #""Infinity""#),
            (.float8, #""1.5""#, "1.5"), (.float8, #""x""#, "badValue"), (.float8, "NaN", "malformed"),
            (.float8, "00.1", "malformed"),
            (.float8, "[]", "wrongType"), (.float8, "0.30000000000000004", "0.30000000000000004"),
            (.float4, "0.1", "0.1"), (.float4, "16777217", "16777216.0"), (.float4, "3.4028235e38", "3.4028235e+38"),
            (.float4, "3.5e38", "outOfRange"), (.float4, "1e-46", "outOfRange"), (.float4, "1e-45", "1e-45"),
            (.float4, #""Infinity""#, #""Infinity""#),
            // Rounding to double first and to float then would give 1.0000001 here.
            (.float4, "1.00000017881393432617187499", "1.0000001"),
            (.float4, "1.00000017881393432617187501", "1.0000002"),
        ] as [(ColumnType, String, String)]
    )
    func floats(type: ColumnType, json: String, expected: String) throws {
        #expect(try Bench(type).value(json) == expected)
    }

    @Test(
        arguments: [
            ("12.5", "12.5"), ("12.50", "12.50"), ("-0.00", "0.00"), ("1e3", "1000"), ("1.5e-3", "0.0015"),
            (#""12.5""#, "12.5"),
            (#""+.5""#, "0.5"), (#""5.""#, "5"), (#""1_0""#, "badValue"), (#""NaN""#, #""NaN""#),
            (#""-inf""#, #""-Infinity""#),
            (#""0x1F""#, "badValue"), ("1e131072", "outOfRange"), ("1e-16384", "outOfRange"),
            ("0e-16384", "outOfRange"),
            ("123456789012345678901234567890.123", "123456789012345678901234567890.123"),
        ] as [(String, String)]
    )
    func numeric(json: String, expected: String) throws {
        #expect(try Bench(.numeric).value(json) == expected)
    }

    @Test(
        arguments: [
            ("12.345", "12.35"), ("-12.345", "-12.35"), ("99999.994", "99999.99"), ("99999.995", "outOfRange"),
            ("1", "1.00"),
            ("0.004", "0.00"), ("1e-1000", "0.00"), ("1e5", "outOfRange"), (#""Infinity""#, "outOfRange"),
            (#""NaN""#, #""NaN""#),
            ("-0.005", "-0.01"), ("9.999", "10.00"),
        ] as [(String, String)]
    )
    func numericOfSevenDigitsAndScaleTwo(json: String, expected: String) throws {
        #expect(try Bench(.numeric, numeric: (7, 2)).value(json) == expected)
    }

    @Test(
        arguments: [
            (#""plain""#, #""plain""#), (#""""#, #""""#), (#""\u00e9\n\ud83d\ude00""#, #""é\n😀""#),
            (#""é😀""#, #""é😀""#),
            (#""exactly sixteen!""#, #""exactly sixteen!""#), (#""\/\b\f""#, #""/\b\f""#), (#""a\u0000""#, "nul"),
            (#""\ud83d""#, "loneSurrogate"), (#""\ude00""#, "loneSurrogate"), (#""\ud83d\u0041""#, "loneSurrogate"),
            (#""\x""#, "malformed"), (#""\u12g4""#, "malformed"), ("\"a\tb\"", "malformed"), ("1", "wrongType"),
            ("null", "null"), ("nul", "malformed"), ("\"open", "malformed"),
        ] as [(String, String)]
    )
    func text(json: String, expected: String) throws {
        #expect(try Bench(.text).value(json) == expected)
    }

    @Test(
        arguments: [
            (#""abc""#, #""abc""#), (#""ééé""#, #""ééé""#), (#""abc  ""#, #""abc""#), (#""ab   ""#, #""ab ""#),
            (#""abcd""#, "tooLong"),
            (#""abc x""#, "tooLong"), (#""éééé""#, "tooLong"),
        ] as [(String, String)]
    )
    func varcharOfThree(json: String, expected: String) throws {
        #expect(try Bench(.varchar, length: 3).value(json) == expected)
    }

    @Test(
        arguments: [
            (.bool, "true", "true"), (.bool, #""false""#, "false"), (.bool, "1", "wrongType"),
            (.bool, #""yes""#, "badValue"),
            (.bool, "tru", "malformed"),
            (.uuid, #""A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11""#, #""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
            (.uuid, #""{a0eebc999c0b4ef8bb6d6bb9bd380a11}""#, #""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
            (.uuid, #""a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11""#, #""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11""#),
            (.uuid, #""a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1""#, "badValue"),
            (.uuid, #""a0e-ebc999c0b4ef8bb6d6bb9bd380a11""#, "badValue"),
            (.uuid, #""{a0eebc999c0b4ef8bb6d6bb9bd380a11""#, "badValue"),
            (.bytea, #""\\x00FF10""#, #""\\x00ff10""#), (.bytea, #""AP8Q""#, #""\\x00ff10""#),
            (.bytea, #""AP8=""#, #""\\x00ff""#),
            (.bytea, #""AA==""#, #""\\x00""#), (.bytea, #""""#, #""\\x""#), (.bytea, #""AB==""#, "badValue"),
            (.bytea, #""AA=""#, "badValue"),
            (.bytea, #""====""#, "badValue"), (.bytea, #""A===""#, "badValue"), (.bytea, #""\\x0""#, "badValue"),
            (.bytea, #""AP8Q=AAA""#, "badValue"),
            (.json, #"{"a" : [1, null]}"#, #"{"a" : [1, null]}"#), (.json, #""\u0000""#, #""\u0000""#),
            (.json, "1e999999", "1e999999"),
            (.jsonb, #"[1,{"a":"é"}]"#, #"[1,{"a":"é"}]"#), (.jsonb, #"["\u0000"]"#, "nul"),
            (.jsonb, #"{"\u0000":1}"#, "nul"),
            (.jsonb, "1e131071", "1e131071"), (.jsonb, "[1e131072]", "outOfRange"), (.jsonb, "1e-16384", "outOfRange"),
            (.jsonb, #"["\ud800"]"#, "loneSurrogate"), (.jsonb, "[1,]", "malformed"),
            (.jsonb, #"{"a":1,}"#, "malformed"),
            (.jsonb, "[1 2]", "malformed"), (.jsonb, "{1:2}", "malformed"), (.jsonb, "[}", "malformed"),
            (.jsonb, "01", "malformed"),
            (.textArray, #"["a", null ,"\u00e9"]"#, #"["a",null,"é"]"#), (.textArray, "[]", "[]"),
            (.textArray, "[ ]", "[]"),
            (.textArray, "[1]", "wrongType"), (.textArray, #"["a",]"#, "malformed"), (.textArray, #""a""#, "wrongType"),
            (.int8Array, "[1,-2,null]", "[1,-2,null]"), (.int8Array, "[1.5]", "badValue"),
            (.int8Array, "[[1]]", "wrongType"),
            (.float8Array, #"[1,0.5,"NaN"]"#, #"[1.0,0.5,"NaN"]"#), (.float8Array, "[1e999]", "outOfRange"),
        ] as [(ColumnType, String, String)]
    )
    func others(type: ColumnType, json: String, expected: String) throws {
        #expect(try Bench(type).value(json) == expected)
    }

    @Test(
        arguments: [
            (.inet, "10.1.2.3", "10.1.2.3"), (.inet, "10.1.2.3/8", "10.1.2.3/8"), (.inet, "10.1.2.3/32", "10.1.2.3"),
            (.inet, "10.1.2.3/33", "outOfRange"), (.inet, "10.1.2", "badValue"), (.inet, "10.1.2.256", "badValue"),
            (.inet, "10.1.2.03", "badValue"), (.inet, "10.1.2.3.4", "badValue"), (.inet, "10.1.2.3/", "badValue"),
            (.inet, "10.1.2.3/08", "badValue"), (.inet, "", "badValue"), (.inet, "::", "::"), (.inet, "::1", "::1"),
            (.inet, "1::", "1::"), (.inet, "2001:DB8::1/64", "2001:db8::1/64"),
            (.inet, "::ffff:1.2.3.4", "::ffff:102:304"),
            (.inet, "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), (.inet, "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            (.inet, "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), (.inet, "1:2:3:4:5:6:7:1.2.3.4", "badValue"),
            (.inet, "1:2:3:4:5:6:7:8::", "badValue"), (.inet, "1::2::3", "badValue"), (.inet, "1:2", "badValue"),
            (.inet, ":1", "badValue"),
            (.inet, "1:", "badValue"), (.inet, "12345::", "badValue"), (.inet, "fe80::1%eth0", "badValue"),
            (.inet, "::1/129", "outOfRange"),
            (.cidr, "10.0.0.0/8", "10.0.0.0/8"), (.cidr, "10.0.0.1", "10.0.0.1/32"), (.cidr, "10.0.0.1/8", "badValue"),
            (.cidr, "0.0.0.0/0", "0.0.0.0/0"), (.cidr, "2001:db8::/32", "2001:db8::/32"),
            (.cidr, "2001:db8::1/127", "badValue"),
            (.cidr, "1::/0", "badValue"), (.cidr, "::/0", "::/0"), (.cidr, "::1:0:0:0:0/63", "badValue"),
            (.cidr, "0:0:0:1::/64", "0:0:0:1::/64"),
        ] as [(ColumnType, String, String)]
    )
    func addresses(type: ColumnType, text: String, expected: String) throws {
        let wanted = DecodeFault.Reason(rawValue: expected) == nil ? "\"\(expected)\"" : expected
        #expect(try Bench(type).value("\"\(text)\"") == wanted)
    }
}
