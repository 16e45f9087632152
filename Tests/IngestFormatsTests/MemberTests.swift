import IngestFormats
import Records
import Testing

/// Which field becomes which column: order, absence, defaults, renames, constants and unknown fields.
@Suite struct MemberTests {
    private static let columns = [
        Column(name: "id", type: .int8, notNull: true, hasDefault: true),
        Column(name: "service", type: .text, notNull: true),
        Column(name: "a_rather_long_column_name", type: .int4),
        Column(name: "zone", type: .text, hasDefault: true),
        Column(name: "tags", type: .jsonb),
    ]

    @Test func everyOrderGivesTheSameRow() throws {
        let bench = try Bench(Self.columns)
        let fields = [
            #""id":1"#, #""service":"s""#, #""a_rather_long_column_name":3"#, #""zone":"z""#, #""tags":{"t":[]}"#,
        ]
        let row = "{\(fields.joined(separator: ","))}"
        var random = SplitMix(seed: 7)
        for _ in 0..<200 {
            let shuffled = fields.shuffled(using: &random)
            #expect(try bench.lines("{\(shuffled.joined(separator: ","))}") == [row])
        }
    }

    @Test func missingFieldsTakeTheDefaultOrNull() throws {
        let bench = try Bench(Self.columns)
        let (report, batch) = bench.decode(
            """
            {"service":"a"}
            {"service":"b","id":2}
            {"tags":1,"service":"c"}
            {"zone":null,"service":"d"}
            {"zone":"z","service":"e","id":5}
            """
        )
        #expect(report.accepted == 5)
        #expect(
            try Bench.lines(batch) == [
                #"{"service":"a","a_rather_long_column_name":null,"tags":null}"#,
                #"{"id":2,"service":"b","a_rather_long_column_name":null,"tags":null}"#,
                #"{"service":"c","a_rather_long_column_name":null,"tags":1}"#,
                #"{"service":"d","a_rather_long_column_name":null,"zone":null,"tags":null}"#,
                #"{"id":5,"service":"e","a_rather_long_column_name":null,"zone":"z","tags":null}"#,
            ]
        )
        #expect(batch.runs.map(\.rows) == [1, 1, 1, 1, 1])
        #expect(batch.runs.map { batch.layouts.layout(of: $0.fingerprint)?.columns.count } == [3, 4, 3, 4, 5])
        #expect(bench.decode(#"{"service":"a","id":null}"#).report.faults.map(\.reason) == [.null])
    }

    @Test func aMissingColumnIsNamedWhateverTheOrder() throws {
        let bench = try Bench(Self.columns)
        for body in [#"{"id":1}"#, #"{"tags":1}"#, #"{"tags":1,"id":1}"#, "{}"] {
            let faults = bench.decode(body).report.faults
            #expect(faults.map(\.column) == ["service"])
            #expect(faults.map(\.reason) == [.null])
        }
    }

    @Test func moreDefaultsThanCanBeTracked() throws {
        let columns = (0..<64).map { Column(name: "c\($0)", type: .int2, hasDefault: true) }
        let bench = try Bench(columns)
        #expect(try bench.lines(#"{"c62":1,"c63":2}"#) == [#"{"c62":1,"c63":2}"#])
        #expect(bench.decode(#"{"c62":1}"#).report.faults.map(\.column) == ["c63"])
    }

    @Test func layoutsAreMadeUpToALimit() throws {
        let bench = try Bench((0..<12).map { Column(name: "c\($0)", type: .int2, hasDefault: true) })
        let body = (0..<4096).map { set in
            "{" + (0..<12).filter { set >> $0 & 1 == 0 }.map { "\"c\($0)\":1" }.joined(separator: ",") + "}"
        }
        let report = bench.decode(body.joined(separator: "\n"), format: .lines, onError: .skip).report
        #expect(report.accepted == DecodePlan.layoutLimit)
        #expect(report.faults.first?.reason == .tooManyLayouts)
    }

    @Test func renames() throws {
        let bench = try Bench(
            [Column(name: "time", type: .timestamptz), Column(name: "a", type: .int2), Column(name: "b", type: .int2)],
            StreamMapping(rename: ["@timestamp": "time", "a": "b", "b": "a"])
        )
        #expect(try bench.lines(#"{"@timestamp":0,"a":1,"b":2}"#) == [#"{"time":"1970-01-01T00:00:00Z","a":2,"b":1}"#])
        #expect(try bench.lines(#"{"time":0}"#) == [#"{"time":"1970-01-01T00:00:00Z","a":null,"b":null}"#])
        let fault = bench.decode(#"{"time":0,"@timestamp":0}"#).report.faults.first
        #expect(fault?.reason == .duplicateField)
        #expect(fault?.field == "@timestamp")
        #expect(fault?.column == "time")
    }

    @Test func constants() throws {
        let bench = try Bench(
            Self.columns,
            StreamMapping(constants: ["zone": #""eu""#, "id": "7", "tags": #"{"k": 1}"#])
        )
        let row = #"{"id":7,"service":"s","a_rather_long_column_name":null,"zone":"eu","tags":{"k": 1}}"#
        #expect(try bench.lines(#"{"service":"s"}"#) == [row])
        #expect(
            bench.decode(#"{"service":"s","zone":"us"}"#).report.faults.map(\.description) == [
                #"event 0, column "zone", byte 16: found zone, expected no value: "#
                    + "the stream's configuration sets this column"
            ]
        )
    }

    @Test(
        arguments: [
            (#"{"x":1}"#, #"{"x":1}"#), (#"{"x":1,"tags":{"t":2},"y":[3]}"#, #"{"t":2,"x":1,"y":[3]}"#),
            (#"{"tags":null,"x":1}"#, #"{"x":1}"#), (#"{"tags":{ },"x":1}"#, #"{"x":1}"#),
            (#"{"tags":{},"\u0078":1}"#, #"{"\u0078":1}"#),
            (#"{"tags": {"t" : "}" } ,"x":1,"id":4}"#, #"{"t" : "}" ,"x":1}"#), (#"{"tags":[1]}"#, "[1]"),
        ]
    )
    func unknownFieldsAreCollected(event: String, tags: String) throws {
        let columns = [
            Column(name: "id", type: .int4), Column(name: "tags", type: .jsonb), Column(name: "z", type: .text),
        ]
        let bench = try Bench(columns, StreamMapping(extra: "tags"))
        let id = event.contains("id") ? "4" : "null"
        #expect(try bench.lines(event) == [#"{"id":\#(id),"tags":\#(tags),"z":null}"#])
    }

    @Test func collectedFieldsMustNotClash() throws {
        let bench = try Bench([Column(name: "tags", type: .jsonb)], StreamMapping(extra: "tags"))
        func fault(_ event: String) -> DecodeFault? { bench.decode(event).report.faults.first }
        #expect(fault(#"{"x":1,"x":2}"#)?.reason == .duplicateField)
        #expect(fault(#"{"x":1,"\u0078":2}"#)?.reason == .duplicateField)
        let clash = fault(#"{"tags":{"a":{"y":1},"x":1},"x":2}"#)
        #expect(clash?.reason == .duplicateField)
        #expect(clash?.field == "x")
        #expect(clash?.column == "tags")
        #expect(fault(#"{"tags":[1],"x":2}"#)?.reason == .wrongType)
        #expect(fault(#"{"x":"\u0000"}"#)?.reason == .nul)
        #expect(fault(#"{"\u0000":1}"#)?.reason == .nul)
        #expect(fault(#"{"x":[1,}"#)?.reason == .malformed)
        #expect(fault(#"{"tags":{"x":1},"y":2}"#) == nil)
    }

    @Test func tenThousandUnknownFields() throws {
        let bench = try Bench([Column(name: "tags", type: .jsonb)], StreamMapping(extra: "tags"))
        let members = (0..<10_000).map { "\"field\($0)\":\($0)" }.joined(separator: ",")
        for _ in 0..<2 {
            #expect(try bench.lines("{\(members)}") == ["{\"tags\":{\(members)}}"])
        }
        #expect(try bench.lines(#"{"field0":1}"#) == [#"{"tags":{"field0":1}}"#])
        #expect(bench.decode("{\(members),\"field77\":0}").report.faults.map(\.reason) == [.duplicateField])
    }

    @Test func aSuffixOrPrefixOfANameIsAnotherName() throws {
        let bench = try Bench(Self.columns)
        for name in [
            "servic", "services", "a_rather_long_column_nam", "a_rather_long_column_names", "a_rather_long_column_namX",
        ] {
            let fault = bench.decode("{\"\(name)\":1}").report.faults.first
            #expect(fault?.reason == .unknownField)
            #expect(fault?.field == name)
        }
    }

    @Test func faultsOfAMapping() {
        func fault(_ mapping: StreamMapping) -> PlanFault? {
            do throws(PlanFault) {
                _ = try Bench(Self.columns, mapping)
                return nil
            } catch {
                return error
            }
        }
        #expect(fault(StreamMapping(extra: "nope")) == .extraIsNoColumn("nope"))
        #expect(fault(StreamMapping(extra: "zone")) == .extraIsNotJSONB(column: "zone", type: .text))
        #expect(fault(StreamMapping(extra: "tags", constants: ["tags": "{}"])) == .extraIsConstant(column: "tags"))
        #expect(fault(StreamMapping(rename: ["x": "nope"])) == .renameToNoColumn(field: "x", column: "nope"))
        #expect(
            fault(StreamMapping(rename: ["x": "zone"], constants: ["zone": "null"]))
                == .renameToConstant(field: "x", column: "zone")
        )
        #expect(fault(StreamMapping(constants: ["nope": "1"])) == .constantForNoColumn("nope"))
        let invalid = fault(StreamMapping(constants: ["a_rather_long_column_name": #""x""#]))
        #expect(
            invalid?.description
                == #"constant "x" for "a_rather_long_column_name": at byte 0 found "x", expected a whole number"#
        )
        for text in ["", "1,2", "1}\n{\"value\":2", "1} ", "null"] where text != "null" {
            #expect(fault(StreamMapping(constants: ["a_rather_long_column_name": text])) != nil, "\(text)")
        }
        #expect(fault(StreamMapping(constants: ["service": "null"])) != nil)
        #expect(fault(StreamMapping(constants: ["a_rather_long_column_name": "null"])) == nil)
    }

    @Test func aTableWithoutColumnsIsNoStream() {
        #expect(throws: PlanFault.noColumns) { try Bench([]) }
    }
}
