import Foundation

/// Where results are kept: for each scenario its figures and charts, and a page over all of them.
struct ResultsDirectory {
    let path: String

    init(_ path: String) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func store(_ outcome: Outcome) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try write(encoder.encode(outcome) + Data("\n".utf8), to: "\(outcome.name).json")
        for measure in outcome.charts {
            let bars = outcome.contenders.compactMap { side in
                outcome.spread(side, measure).map { BarChart.Bar(name: side.name, spread: $0) }
            }
            let chart = BarChart(title: outcome.title, measure: measure, bars: bars)
            try write(Data(chart.svg.utf8), to: outcome.chartName(measure))
        }
    }

    /// Writes the page anew from every scenario that has figures here.
    func render() throws {
        var outcomes: [Outcome] = []
        for scenario in BenchTool.scenarios {
            let file = "\(path)/\(scenario.name).json"
            guard FileManager.default.fileExists(atPath: file) else { continue }
            outcomes.append(try JSONDecoder().decode(Outcome.self, from: Data(contentsOf: URL(filePath: file))))
        }
        var page = "# Forebay beside its limits\n\n"
        page +=
            "Made by `make bench`; [README.md](../README.md) tells the method, and what each contender promises.\n\n"
        var machines: [[String]] = []
        for outcome in outcomes where !machines.contains(outcome.machine) {
            machines.append(outcome.machine)
        }
        page += "Measured on: " + machines.map { $0.joined(separator: "; ") }.joined(separator: ". And on: ") + ".\n\n"
        page += outcomes.map(\.markdown).joined(separator: "\n")
        try write(Data(page.utf8), to: "results.md")
    }

    private func write(_ data: Data, to name: String) throws {
        try data.write(to: URL(filePath: "\(path)/\(name)"))
    }
}
