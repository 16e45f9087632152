import PostgresWire
import Testing

@testable import ReadProxy

@Suite
struct OwnStatementTests {
    @Test
    func reportsAreTakenAlone() throws {
        for report in OwnReport.allCases {
            #expect(try OwnStatement(parsing: "SHOW forebay.\(report.rawValue)") == .report(report))
            #expect(try OwnStatement(parsing: " show Forebay.\(report.rawValue.uppercased()) ;") == .report(report))
        }
        #expect(try OwnStatement(parsing: "SHOW forebay.after") == .setting(.show))
        #expect(try OwnStatement(parsing: "RESET forebay.after") == .setting(.set([])))
        for text in [
            "SHOW forebay.node", "SHOW forebay.nodes, forebay.pools", "SHOW forebay.nodes; SELECT 1",
            "SET forebay.nodes = ''", "RESET forebay.nodes", "SHOW forebay.",
        ] {
            #expect(throws: OwnSetting.Fault.form, "\(text)") { try OwnStatement(parsing: text) }
        }
    }

    @Test
    func valuesInBothFormats() {
        let table = OwnTable(
            columns: [.init("t", .text), .init("n", .number), .init("r", .real), .init("f", .flag), .init("x", .text)],
            rows: [[.text("ü"), .number(-2), .real(1.5), .flag(true), nil]]
        )
        let text: [[UInt8]?] = [[0xC3, 0xBC], Array("-2".utf8), Array("1.5".utf8), Array("t".utf8), nil]
        let binary: [[UInt8]?] = [
            [0xC3, 0xBC], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE], [0x3F, 0xF8, 0, 0, 0, 0, 0, 0], [1], nil,
        ]
        #expect(table.row(0) == .dataRow(text))
        #expect(table.row(0, formats: [1]) == .dataRow(binary))
        #expect(table.row(0, formats: [1, 0, 1, 0, 0]) == .dataRow([binary[0], text[1], binary[2], text[3], nil]))
    }

    /// A report's rows have as many values as it has columns; the pure ones are told by their columns alone.
    @Test
    func everyReportHasColumnsOfDifferentNames() {
        for report in OwnReport.allCases {
            #expect(Set(report.columns.map(\.name)).count == report.columns.count)
        }
    }

    @Test
    func aReplyOfOursHasItsTurnAndARefusalItsPlace() throws {
        var exchange = Exchange()
        for kind in [Exchange.Kind.bind, .execute] { exchange.expect(kind) }
        exchange.expect(.given, reply: [1])
        exchange.expect(.refused, reply: [2])
        exchange.expect(.given, reply: [3])
        exchange.expect(.sync)
        let messages: [BackendMessage] = [
            .bindComplete, .commandComplete(tag: "SELECT 0"), .error(Report(.error, "42601", "syntax")),
            .readyForQuery(.idle),
        ]
        let bytes = messages.flatMap(\.bytes)
        var offset = 0
        var seen: [String] = []
        try bytes.withUnsafeBytes { bytes in
            loop: while true {
                switch try exchange.advance(bytes, &offset) {
                case .more: break loop
                case .insert(let expected): seen.append("given \(expected.reply ?? [])")
                case .error:
                    let skipped = exchange.skipped.map { "\($0.kind) \($0.reply ?? [])" }
                    seen.append("error for \(skipped.joined(separator: ", "))")
                case .ready: seen.append("ready")
                default: seen.append("?")
                }
            }
        }
        #expect(seen == ["given [1]", "error for refused [2], given [3]", "ready"])
        #expect(exchange.isSettled)
    }
}
