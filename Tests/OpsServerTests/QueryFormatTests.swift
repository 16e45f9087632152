import NIOCore
import Testing

@testable import OpsServer

@Suite struct QueryFormatTests {
    private static let columns: [QueryResult.Column] = [
        .init(name: "t", type: 25), .init(name: "n", type: 20), .init(name: "n", type: 701), .init(name: "b", type: 16),
        .init(name: "j", type: 3802), .init(name: "at", type: 1184),
    ]
    private static let rows: [[[UInt8]?]] = [
        ["a\"b\\c\n", "9223372036854775807", "1.5", "t", #"{"k": [1]}"#, "2026-01-02 03:04:05.6+00"].map {
            Array($0.utf8)
        },
        [[], nil, Array("NaN".utf8), Array("f".utf8), nil, Array("infinity".utf8)],
    ]

    private func write(_ format: QueryFormat, fault: QueryFault? = nil) -> String {
        var writer = QueryWriter(format, Self.columns)
        var buffer = ByteBuffer()
        writer.head(into: &buffer)
        for row in Self.rows { writer.row(row, into: &buffer) }
        if let fault { writer.fault(fault, into: &buffer) } else { writer.tail(isCut: true, into: &buffer) }
        return String(buffer: buffer)
    }

    @Test func json() {
        #expect(
            write(.json) == """
                {"columns":[{"name":"t","type":"text"},{"name":"n","type":"int8"},{"name":"n","type":"float8"},\
                {"name":"b","type":"bool"},{"name":"j","type":"jsonb"},{"name":"at","type":"timestamptz"}],"rows":[
                ["a\\"b\\\\c\\n",9223372036854775807,1.5,true,{"k": [1]},"2026-01-02T03:04:05.6Z"],
                ["",null,"NaN",false,null,"infinity"]
                ],"row_count":2,"truncated":true}

                """
        )
    }

    @Test func ndjson() {
        #expect(
            write(.ndjson) == """
                {"t":"a\\"b\\\\c\\n","n":9223372036854775807,"n_2":1.5,"b":true,"j":{"k": [1]},"at":"2026-01-02T03:04:05.6Z"}
                {"t":"","n":null,"n_2":"NaN","b":false,"j":null,"at":"infinity"}

                """
        )
    }

    @Test func csv() {
        #expect(
            write(.csv).split(separator: "\r\n") == [
                "t,n,n,b,j,at",
                "\"a\"\"b\\c\n\",9223372036854775807,1.5,t,\"{\"\"k\"\": [1]}\",\"2026-01-02 03:04:05.6+00\"",
                "\"\",,NaN,f,,infinity",
            ]
        )
    }

    @Test func anErrorBehindRowsIsToldWhereItCanBe() {
        let fault = QueryFault("57P01", "gone")
        #expect(write(.json, fault: fault).contains(#"],"error":{"detail":"gone","sqlstate":"57P01","status":503"#))
        #expect(write(.ndjson, fault: fault).contains("\n{\"error\":{\"detail\":\"gone\""))
        #expect(!write(.csv, fault: fault).contains("gone"))
    }

    @Test(
        arguments: [
            (nil, "json"), ("*/*", "json"), ("text/csv", "csv"), ("text/html, application/x-ndjson;q=0.9", "ndjson"),
            ("text/html", nil),
        ] as [(String?, String?)]
    )
    func whatIsAccepted(accept: String?, format: String?) {
        #expect(QueryFormat(accept: accept)?.rawValue == format)
    }

    @Test(arguments: [
        ("42P01", 400), ("22P02", 400), ("25006", 403), ("42501", 403), ("57014", 504), ("57P01", 503), ("58000", 503),
        ("53300", 503), ("40001", 503), ("08006", 503), ("XX000", 500), ("0A000", 400),
    ])
    func theStatusFollowsTheState(sqlstate: String, status: Int) {
        #expect(QueryFault(sqlstate, "").status == status)
    }
}
