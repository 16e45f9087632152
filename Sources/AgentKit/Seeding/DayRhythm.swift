/// Spreads events over a time range as people spread their requests: few at night, many by day, fewer at the weekend.
package struct DayRhythm: Sendable {
    /// The share of the busiest hour's traffic at each full hour UTC; between the hours a straight line.
    private static let hourly: [Double] = [
        0.30, 0.24, 0.20, 0.18, 0.19, 0.24, 0.36, 0.54, 0.74, 0.90, 0.97, 1.00,
        0.95, 0.96, 0.99, 0.98, 0.93, 0.88, 0.84, 0.82, 0.78, 0.68, 0.54, 0.40,
    ]

    private let start: Timestamp
    /// The width of a slice, in microseconds.
    private let slice: Double
    /// The share of all traffic that has passed at the end of each slice; the last is 1.
    private let passed: [Double]

    /// - Parameters:
    ///   - from: the first moment.
    ///   - to: after `from`.
    package init(from: Timestamp, to: Timestamp) {
        precondition(from < to, "a rhythm needs a range of time")
        start = from
        let length = Double(to.microseconds - from.microseconds)
        // Five minutes a slice, but not more than a year's worth of slices.
        let count = Int(max(1, min(105_120, (length / 300e6).rounded(.up))))
        slice = length / Double(count)
        var sum = 0.0
        var running: [Double] = []
        running.reserveCapacity(count)
        for index in 0..<count {
            let middle = from.microseconds + Int64((Double(index) + 0.5) * slice)
            sum += Self.intensity(at: Timestamp(microseconds: middle))
            running.append(sum)
        }
        passed = running.map { $0 / sum }
    }

    /// Traffic at a moment as a share of the busiest.
    package static func intensity(at moment: Timestamp) -> Double {
        let hour = moment.hourOfDay
        let before = min(23, Int(hour))
        let part = hour - Double(before)
        let byDay = hourly[before] * (1 - part) + hourly[(before + 1) % 24] * part
        return moment.weekday >= 5 ? byDay * 0.6 : byDay
    }

    /// The moment by which the given share (0 ..< 1) of all events has happened.
    package func moment(at share: Double) -> Timestamp {
        var low = 0
        var high = passed.count - 1
        while low < high {
            let middle = (low + high) / 2
            if passed[middle] > share { high = middle } else { low = middle + 1 }
        }
        let before = low == 0 ? 0 : passed[low - 1]
        let within = (share - before) / (passed[low] - before)
        return Timestamp(microseconds: start.microseconds + Int64((Double(low) + max(0, min(1, within))) * slice))
    }
}
