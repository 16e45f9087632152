import AgentKit

/// Horizontal bars with whiskers from the minimum to the maximum, as an SVG that can be read on light and on dark ground.
struct BarChart {
    struct Bar {
        var name: String
        var spread: Spread
    }

    var title: String
    var measure: Measure
    var bars: [Bar]

    private let width = 760
    private let barHeight = 22
    private let step = 40
    private let top = 62
    /// Names end here, bars begin.
    private let left = 170
    /// Room for the figure behind the longest whisker.
    private let right = 90

    /// A round number at or above the largest value, so that the scale does not end in the middle of nowhere.
    private var limit: Double {
        let largest = bars.map(\.spread.maximum).max() ?? 0
        guard largest > 0 else { return 1 }
        var power = 1.0
        while power * 10 <= largest { power *= 10 }
        while power > largest { power /= 10 }
        for factor in [1.0, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8] where factor * power >= largest { return factor * power }
        return 10 * power
    }

    private func x(_ value: Double) -> String {
        fixed(Double(left) + value / limit * Double(width - left - right), 1)
    }

    var svg: String {
        let height = top + bars.count * step + 4
        var lines = [
            #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(width) \#(height)" width="\#(width)" height="\#(height)" role="img">"#,
            "<title>\(escaped(title)), \(escaped(measure.unit))</title>",
            "<style>",
            "text { font: 14px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 }",
            ".sub { font-size: 12px; fill: #59636e } .ground { fill: #ffffff; stroke: #d1d9e0 }",
            ".bar { fill: #8c959f } .own { fill: #0969da } .line { stroke: #1f2328; stroke-width: 1.5 }",
            ".axis { stroke: #d1d9e0; stroke-width: 1 }",
            "@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .sub { fill: #9198a1 }",
            ".ground { fill: #0d1117; stroke: #3d444d }",
            ".bar { fill: #656c76 } .own { fill: #4493f8 } .line { stroke: #f0f6fc } .axis { stroke: #3d444d } }",
            "</style>",
            // A ground of its own: the page's theme need not be the one that the browser prefers.
            #"<rect class="ground" x="0.5" y="0.5" width="\#(width - 1)" height="\#(height - 1)" rx="6"/>"#,
            #"<text x="12" y="24" class="title">\#(escaped(title))</text>"#,
            #"<text x="12" y="44" class="sub">\#(escaped(measure.unit)); bar: median, whisker: minimum to maximum</text>"#,
            #"<line class="axis" x1="\#(left)" x2="\#(left)" y1="\#(top - 8)" y2="\#(height - 8)"/>"#,
        ]
        for (index, bar) in bars.enumerated() {
            lines += draw(bar, y: top + index * step)
        }
        lines.append("</svg>")
        return lines.joined(separator: "\n") + "\n"
    }

    private func draw(_ bar: Bar, y: Int) -> [String] {
        let middle = y + barHeight / 2
        let (low, high) = (x(bar.spread.minimum), x(bar.spread.maximum))
        let length = fixed(bar.spread.median / limit * Double(width - left - right), 1)
        let kind = bar.name.hasPrefix("forebay") ? "own" : "bar"
        let figure = (Double(high) ?? 0) + 8
        return [
            #"<text x="\#(left - 10)" y="\#(middle + 5)" text-anchor="end">\#(escaped(bar.name))</text>"#,
            #"<rect class="\#(kind)" x="\#(left)" y="\#(y)" width="\#(length)" height="\#(barHeight)"/>"#,
            #"<line class="line" x1="\#(low)" x2="\#(high)" y1="\#(middle)" y2="\#(middle)"/>"#,
            #"<line class="line" x1="\#(low)" x2="\#(low)" y1="\#(middle - 5)" y2="\#(middle + 5)"/>"#,
            #"<line class="line" x1="\#(high)" x2="\#(high)" y1="\#(middle - 5)" y2="\#(middle + 5)"/>"#,
            #"<text x="\#(fixed(figure, 1))" y="\#(middle + 5)">\#(measure.text(bar.spread.median))</text>"#,
        ]
    }

    private func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.append(character)
            }
        }
    }
}
