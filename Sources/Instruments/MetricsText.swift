/// Builds the text that Prometheus scrapes: exposition format 0.0.4 (prometheus.io, "Exposition formats", text-based format).
///
/// Each family is written whole, its HELP and TYPE lines first. A value of its own; used by one task.
package struct MetricsText: Sendable {
    /// The media type of ``text``.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""
    private let prefix: String

    /// - Parameter prefix: stands before every name, as `forebay_`.
    package init(prefix: String = "") {
        self.prefix = prefix
    }

    /// Pairs of a name and a value, in the order in which they are written.
    package typealias Labels = KeyValuePairs<String, String>

    package enum Kind: String, Sendable {
        case counter
        case gauge
    }

    package enum Value: Hashable, Sendable {
        case whole(Int)
        case unsigned(UInt64)
        case fraction(Double)
    }

    /// One sample without labels.
    package mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Value) {
        family(name, kind, help, [([:], value)])
    }

    /// A family of samples that differ in their labels. One without samples is left out.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [(Labels, Value)]) {
        guard !samples.isEmpty else { return }
        header(name, kind.rawValue, help)
        for (labels, value) in samples {
            line(name, labels, bound: nil, value)
        }
    }

    /// How a histogram's buckets are named.
    package enum Scale: Sendable {
        /// Values were recorded in microseconds and are written in seconds.
        case microseconds
        /// Values are whole numbers and are written as they are.
        case units

        /// The upper bound, inclusive, of bucket `index`.
        ///
        /// A whole number below 2^i is at most 2^i - 1. A time was cut to whole microseconds, so that one below 2^i may be
        /// anything below 2^i.
        fileprivate func bound(_ index: Int) -> String {
            switch self {
            case .microseconds: MetricsText.format(Double(1 << index) / 1_000_000)
            case .units: String((1 << index) - 1)
            }
        }
    }

    /// A histogram: cumulative buckets, sum and count.
    ///
    /// - Parameter buckets: the buckets that are written, the same at every scrape; what lies below is counted in the first,
    ///   what lies above in `+Inf` alone.
    package mutating func histogram(
        _ name: String,
        _ help: String,
        _ snapshot: Histogram.Snapshot,
        scale: Scale,
        buckets: ClosedRange<Int>
    ) {
        header(name, "histogram", help)
        var below = 0
        for (index, count) in snapshot.counts.enumerated() {
            below += count
            // The last bucket holds everything larger too, so it has no bound but infinity.
            if buckets.contains(index), index < Histogram.bucketCount - 1 {
                line("\(name)_bucket", [:], bound: scale.bound(index), .whole(below))
            }
        }
        line("\(name)_bucket", [:], bound: "+Inf", .whole(below))
        switch scale {
        case .microseconds: line("\(name)_sum", [:], bound: nil, .fraction(Double(snapshot.sum) / 1_000_000))
        case .units: line("\(name)_sum", [:], bound: nil, .whole(snapshot.sum))
        }
        line("\(name)_count", [:], bound: nil, .whole(below))
    }

    private mutating func header(_ name: String, _ type: String, _ help: String) {
        precondition(Self.isName(prefix + name), "\(prefix)\(name) is not a metric name")
        text += "# HELP \(prefix)\(name) \(Self.escape(help, quote: false))\n"
        text += "# TYPE \(prefix)\(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: Labels, bound: String?, _ value: Value) {
        var pairs = labels.map { "\($0.key)=\"\(Self.escape($0.value, quote: true))\"" }
        if let bound { pairs.append("le=\"\(bound)\"") }
        text += prefix + name
        if !pairs.isEmpty { text += "{\(pairs.joined(separator: ","))}" }
        text += " "
        switch value {
        case .whole(let number): text += String(number)
        case .unsigned(let number): text += String(number)
        case .fraction(let number): text += Self.format(number)
        }
        text += "\n"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }

    /// A backslash and a line feed are escaped in help texts and label values, a quote in label values too.
    static func escape(_ text: String, quote: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quote: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// As Go's `ParseFloat` reads it, which is what the format asks for.
    static func format(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        if number == number.rounded(), abs(number) < 1e15 { return String(Int(number)) }
        return "\(number)"
    }
}
