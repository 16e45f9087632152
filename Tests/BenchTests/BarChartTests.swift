import Foundation
import FoundationXML
import Testing

@testable import bench

/// Method: the text of a chart; whether it pleases the eye is for eyes.
struct BarChartTests {
    private func chart(_ values: [Double]) throws -> String {
        let bars = try values.map { value in
            BarChart.Bar(name: "a & b", spread: try #require(Spread([value, value / 2])))
        }
        return BarChart(title: "rows < limits", measure: .rows, bars: bars).svg
    }

    @Test func isWellFormed() throws {
        let document = XMLParser(data: Data(try chart([100, 20]).utf8))
        #expect(document.parse())
    }

    @Test func escapesWhatMarkupWouldTakeForItsOwn() throws {
        let svg = try chart([1])
        #expect(svg.contains("a &amp; b") && svg.contains("rows &lt; limits"))
    }

    @Test(arguments: [0.0, 0.003, 1, 99, 1_000_000])
    private func staysWithinItsWidth(_ value: Double) throws {
        let places = try chart([value]).matches(of: /(?:x1|x2|width)="([0-9.]+)"/).compactMap { Double($0.output.1) }
        #expect(!places.isEmpty && places.allSatisfy { $0 <= 760 })
    }
}
