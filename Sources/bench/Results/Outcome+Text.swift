import AgentKit

extension Measure {
    func text(_ value: Double) -> String {
        decimals == 0 ? grouped(Int(value.rounded())) : fixed(value, decimals)
    }

    func text(_ spread: Spread) -> String {
        "\(text(spread.median)) (\(text(spread.minimum)) to \(text(spread.maximum)))"
    }
}

extension Outcome {
    private var rows: [[String]] {
        contenders.map { side in
            [side.name] + shown.map { measure in spread(side, measure).map { measure.text($0) } ?? "" }
        }
    }

    /// The measures of which there is a figure.
    private var shown: [Measure] {
        measures.filter { measure in contenders.contains { spread($0, measure) != nil } }
    }

    /// A table for a terminal.
    var text: String {
        let table = [[name] + shown.map(\.title)] + rows
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        var lines = table.map { row in
            row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            .joined(separator: "  ")
        }
        lines += verdicts.map { "\($0.isMet ? "met   " : "MISSED") \($0.text)" }
        return lines.joined(separator: "\n")
    }

    /// A section of `results.md`.
    var markdown: String {
        var lines = ["## \(title)", "", method, ""]
        lines.append("| | " + shown.map(\.title).joined(separator: " | ") + " |")
        lines.append("| --- |" + String(repeating: " ---: |", count: shown.count))
        lines += rows.map { "| " + $0.joined(separator: " | ") + " |" }
        lines.append("")
        lines += charts.map { "![\(title), \($0.unit)](\(chartName($0)))\n" }
        if !verdicts.isEmpty {
            lines += verdicts.map { "- \($0.isMet ? "met" : "**missed**"): \($0.text)" }
            lines.append("")
        }
        lines += contenders.map { "- **\($0.name)**: \($0.note)" }
        lines += [
            "", "`\(command)`; \(rounds == 1 ? "one round" : "medians of \(rounds) rounds (minimum to maximum)").",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    func chartName(_ measure: Measure) -> String { "\(name)-\(measure.key).svg" }
}
