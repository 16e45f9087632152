import IngestFormats
import Records
import Testing

/// Bodies: how events stand in them, what one fault does to the others, and the exact words of each fault.
@Suite struct BodyTests {
    private func bench(limits: DecodeLimits = DecodeLimits()) throws -> Bench {
        try Bench(
            [
                Column(name: "a", type: .int2, notNull: true),
                Column(name: "b", type: .text),
                Column(name: "j", type: .jsonb),
            ],
            limits: limits
        )
    }

    private func fault(_ body: String, format: BodyFormat = .detect) throws -> String {
        let (report, batch) = try bench().decode(body, format: format)
        #expect(report.accepted == 0)
        #expect(batch.rowCount == 0)
        #expect(batch.byteCount == 0)
        return report.faults.map(\.description).joined(separator: "\n")
    }

    @Test(
        arguments: [
            #"{"a":1}"#, #" {"a":1} "#, #"[{"a":1}]"#, " [ {\"a\" : 1 } ]\n", "{\n  \"a\": 1\n}", "\n{\"a\":1}\r\n\r\n",
            "{\"a\":1}\n", "{\r\n\"a\":\r\n1}",
        ]
    )
    func oneEventInEveryForm(body: String) throws {
        #expect(try bench().lines(body) == [#"{"a":1,"b":null,"j":null}"#])
    }

    @Test(
        arguments: [
            "[{\"a\":1},{\"a\":2}]", "[ {\"a\":1} ,\n{\"a\":2} ]", "{\"a\":1}\n{\"a\":2}",
            "{\"a\":1}\r\n \t\r\n{\"a\":2}\n\n",
        ]
    )
    func twoEventsInEveryForm(body: String) throws {
        #expect(try bench().lines(body).map { $0.prefix(6) } == [#"{"a":1"#, #"{"a":2"#])
    }

    @Test(arguments: ["", " ", "\n\r\n", "[]", "[ ]", "{}\n"])
    func noEventIsNoFault(body: String) throws {
        let bench = try Bench([Column(name: "a", type: .int2)])
        let (report, batch) = bench.decode(body)
        #expect(report.isClean)
        #expect(report.accepted == (body == "{}\n" ? 1 : 0))
        #expect(batch.rowCount == report.accepted)
    }

    @Test func brokenJSONAtByteN() throws {
        #expect(try fault(#"{"a":1 "b":2}"#) == #"event 0, byte 7: found "b", expected a comma or a closing brace"#)
        #expect(try fault(#"{"a" 1}"#) == #"event 0, column "a", byte 5: found 1, expected a colon"#)
        #expect(try fault(#"{a:1}"#) == "event 0, byte 1: found a, expected a field's name in quotes")
        #expect(try fault(#"{"a":}"#) == #"event 0, column "a", byte 5: found }, expected a JSON value"#)
        #expect(try fault(#"{"a":1,}"#) == "event 0, byte 7: found }, expected a field's name in quotes")
        #expect(
            try fault(#"{"a":truth}"#) == #"event 0, column "a", byte 5: found truth, expected a whole number"#
        )
        #expect(
            try fault(#"{"a":1,"j":[tru]}"#)
                == #"event 0, column "j", byte 12: found tru, expected true, false or null"#
        )
        #expect(
            try fault(#"{"a":1,"b":"\q"}"#) == #"event 0, column "b", byte 12: found \q, expected a JSON escape"#
        )
        #expect(
            try fault("{\"a\":1,\"b\":\"\u{1}\"}")
                == #"event 0, column "b", byte 12: found \x01, expected no control character in a string, but its escape"#
        )
    }

    @Test func truncatedBody() throws {
        #expect(
            try fault(#"{"a":1,"b":"xy"#)
                == #"event 0, column "b", byte 14: found the end of the body, expected a closing quote"#
        )
        #expect(
            try fault(#"[{"a":1}"#)
                == "event 1, byte 8: found the end of the body, expected a comma or a closing bracket"
        )
        #expect(try fault("[") == "event 0, byte 1: found the end of the body, expected a JSON value")
        #expect(
            try fault("{\"a\":1\n{\"a\":2}", format: .lines)
                == "event 0, byte 6: found the end of the line, expected a comma or a closing brace"
        )
    }

    @Test func wrongTypeAndRange() throws {
        #expect(
            try fault(#"{"a":"x"}"#) == #"event 0, column "a", byte 5: found "x", expected a whole number"#
        )
        #expect(
            try fault(#"{"a":70000}"#)
                == #"event 0, column "a", byte 5: found 70000, expected a whole number from -32768 to 32767"#
        )
        #expect(try fault(#"{"a":1,"b":7}"#) == #"event 0, column "b", byte 11: found 7, expected a string"#)
    }

    @Test func nullAndMissing() throws {
        #expect(
            try fault(#"{"a":null}"#)
                == #"event 0, column "a", byte 5: found null, expected a value: the column is not null"#
        )
        #expect(
            try fault(#"{"b":"x"}"#)
                == #"event 0, column "a", byte 0: found no such field, "#
                + "expected a value: the column is not null and has no default"
        )
    }

    @Test func unknownAndDuplicateFields() throws {
        #expect(
            try fault(#"{"a":1,"zz":2}"#) == #"event 0, field "zz", byte 8: found zz, expected a column of the stream"#
        )
        #expect(
            try fault(#"{"a":1,"b":"","a":2}"#) == #"event 0, column "a", byte 15: found a, expected each field once"#
        )
        #expect(
            try fault(#"{"a":1,"\u0061":2}"#)
                == #"event 0, column "a" (field "\u0061"), byte 8: found \u0061, expected each field once"#
        )
    }

    @Test func textThatPostgreSQLCanNotHold() throws {
        let bench = try bench()
        let invalid = Array(#"{"a":1,"b":"ok "#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8)
        #expect(
            bench.decode(invalid).report.faults.map(\.description)
                == [#"event 0, column "b", byte 15: found \xc3(, expected UTF-8"#]
        )
        #expect(
            try fault(#"{"a":1,"b":"x\u0000"}"#)
                == #"event 0, column "b", byte 13: found \u0000, expected no U+0000, which PostgreSQL can't store"#
        )
        #expect(
            try fault(#"{"a":1,"b":"x\ud800"}"#)
                == #"event 0, column "b", byte 13: found \ud800, expected a surrogate pair"#
        )
    }

    @Test func tenThousandLevels() throws {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        #expect(
            try fault("{\"a\":1,\"j\":\(deep)}")
                == #"event 0, column "j", byte 74: found \#(String(repeating: "[", count: 37))…, "#
                + "expected at most 64 levels of nesting"
        )
        let objects = String(repeating: #"{"x":"#, count: 10_000)
        #expect(try bench().decode("{\"a\":1,\"j\":\(objects)").report.faults.first?.reason == .tooDeep)
        #expect(try bench().decode(deep).report.faults.first?.reason == .malformed)
    }

    @Test func sixtyThreeLevelsInAFieldAreAllowed() throws {
        let depths = [63: 1, 64: 0]
        for (depth, accepted) in depths {
            let value = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(try bench().decode("{\"a\":1,\"j\":\(value)}").report.accepted == accepted)
        }
    }

    @Test func aNumberWithFiveThousandDigits() throws {
        let digits = String(repeating: "7", count: 5000)
        #expect(
            try fault("{\"a\":\(digits)}")
                == #"event 0, column "a", byte 5: found \#(String(repeating: "7", count: 37))…, "#
                + "expected a whole number from -32768 to 32767"
        )
        #expect(try Bench(.numeric).value(digits) == digits)
        #expect(try Bench(.numeric).value("0.\(digits)") == "0.\(digits)")
        #expect(try Bench(.numeric, numeric: (10, 2)).value(digits) == "outOfRange")
        #expect(try Bench(.float8).value(digits) == "outOfRange")
        #expect(try Bench(.float8).value("0.\(digits)") == "0.7777777777777778")
        #expect(try Bench(.float4).value("0.\(digits)") == "0.7777778")
        #expect(try Bench(.jsonb).value(digits) == digits)
        #expect(try Bench(.timestamptz).value(digits) == "outOfRange")
    }

    @Test func trailingGarbage() throws {
        #expect(try fault(#"{"a":1} x"#) == "event 0, byte 8: found x, expected the end of the body")
        #expect(try fault(#"[{"a":1}] ]"#) == "event 1, byte 10: found ], expected the end of the body")
        #expect(try fault(#"{"a":1}{"a":2}"#) == #"event 0, byte 7: found {"a":2}, expected the end of the body"#)
        #expect(
            try fault("{\"a\":1} {\"a\":2}\n{\"a\":3}", format: .lines)
                == #"event 0, byte 8: found {"a":2}, expected the end of the line"#
        )
        #expect(try fault("{\n\"a\":1}\n{\"a\":2}") == #"event 1, byte 9: found {"a":2}, expected the end of the body"#)
    }

    @Test(arguments: ["1", "\"x\"", "null", "true", "[1]", "[[]]", "[null]"])
    func whatIsNoObject(body: String) throws {
        let (report, _) = try bench().decode(body)
        #expect(report.faults.map(\.reason) == [.malformed])
        #expect(report.faults.map(\.expected) == ["an object"])
    }

    @Test func aBadLineCostsItself() throws {
        let body = "{\"a\":1}\n{\"a\":\n{\"a\":\"x\"}\n{\"a\":4}\nnonsense\n{\"a\":6}"
        let (report, batch) = try bench().decode(body, format: .lines, onError: .skip)
        #expect(report.accepted == 3)
        #expect(report.refused == 3)
        #expect(report.faults.map(\.event) == [1, 2, 4])
        #expect(report.malformedAt == nil)
        #expect(try Bench.lines(batch).map { $0.prefix(6) } == [#"{"a":1"#, #"{"a":4"#, #"{"a":6"#])
        #expect(try bench().decode(body, format: .lines).report.accepted == 0)
    }

    @Test func aBadValueInAnArrayCostsItsEvent() throws {
        let body = #"[{"a":1},{"a":"x","b":{"c":[1,"}"]}},{"a":3},7,{"a":5,"j":"\ud800"},{"a":6}]"#
        let (report, batch) = try bench().decode(body, onError: .skip)
        #expect(report.faults.map(\.event) == [1, 3, 4])
        #expect(report.malformedAt == nil)
        #expect(try Bench.lines(batch).map { $0.prefix(6) } == [#"{"a":1"#, #"{"a":3"#, #"{"a":6"#])
    }

    @Test func aBrokenObjectInAnArrayHidesTheRest() throws {
        let (report, batch) = try bench().decode(#"[{"a":1},{"a":2,"b"},{"a":3}]"#, onError: .skip)
        #expect(report.accepted == 1)
        #expect(report.refused == 1)
        #expect(report.malformedAt == 19)
        #expect(batch.rowCount == 1)
        let hidden = try bench().decode(#"[{"a":"x","b":"},{"a":3}]"#, onError: .skip)
        #expect(hidden.report.faults.map(\.reason) == [.badValue])
        #expect(hidden.report.malformedAt == 19)
    }

    @Test func faultsAreListedUpToAHundred() throws {
        let body = String(repeating: "{\"a\":99999}\n", count: 250)
        let all = try bench().decode(body).report
        #expect(all.faults.map(\.event) == Array(0..<100))
        #expect(all.refused == 100)
        let skipping = try bench().decode(body + "{\"a\":1}", onError: .skip).report
        #expect(skipping.faults.count == 100)
        #expect(skipping.refused == 250)
        #expect(skipping.accepted == 1)
    }

    @Test func limits() throws {
        let limits = DecodeLimits(events: 2, eventBytes: 20, depth: 3)
        let events = try bench(limits: limits).decode("{\"a\":1}\n{\"a\":2}\n{\"a\":3}", onError: .skip).report
        #expect(events.accepted == 2)
        #expect(events.malformedAt == 16)
        #expect(events.faults.map(\.expected) == ["at most 2 events"])
        for body in [#"{"a":1,"b":"123456789"}"#, #"[{"a":1,"b":"123456789"}]"#] {
            #expect(try bench(limits: limits).decode(body).report.faults.map(\.expected) == ["at most 20 bytes"])
        }
        #expect(try bench(limits: limits).decode(#"{"a":1,"j":[[]]}"#).report.isClean)
        #expect(try bench(limits: limits).decode(#"{"a":1,"j":[[[]]]}"#).report.faults.map(\.reason) == [.tooDeep])
    }

    @Test func aRefusedBodyLeavesTheRowsBeforeItAlone() throws {
        let bench = try bench()
        let batch = RowBatch(layouts: bench.plan)
        _ = bench.decoder.decode(Array(#"{"a":1}"#.utf8), into: batch)
        let before = Array(batch.bytes)
        _ = bench.decoder.decode(Array("{\"a\":2}\n{\"a\":\"x\"}".utf8), into: batch)
        #expect(Array(batch.bytes) == before)
        #expect(batch.rowCount == 1)
        _ = bench.decoder.decode(Array(#"{"a":3}"#.utf8), into: batch)
        #expect(try Bench.lines(batch).map { $0.prefix(6) } == [#"{"a":1"#, #"{"a":3"#])
    }
}
