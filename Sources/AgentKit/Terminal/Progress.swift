/// Renders how far a run has come, as one line. Pure.
package struct Progress: Hashable, Sendable {
    package var done: Int
    /// Nil where nobody knows, as with a pipe.
    package var total: Int?
    package var elapsed: Duration
    /// What else there is to say, such as the last trouble.
    package var note: String

    package init(done: Int, total: Int?, elapsed: Duration, note: String = "") {
        self.done = done
        self.total = total
        self.elapsed = elapsed
        self.note = note
    }

    /// Events a second since the start.
    package var rate: Double {
        let seconds = elapsed / .seconds(1)
        return seconds > 0 ? Double(done) / seconds : 0
    }

    /// A line with a bar, cut to `width` columns.
    package func bar(width: Int) -> String {
        var line = ""
        if let total {
            let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
            let cells = max(10, min(40, width - 60))
            let full = Int(share * Double(cells))
            let percent = padded(String(Int(share * 100)), 3)
            line +=
                "[" + String(repeating: "#", count: full) + String(repeating: "-", count: cells - full)
                + "] \(percent) % "
        }
        return String((line + text).prefix(max(20, width)))
    }

    /// The same in words, for a log.
    package var text: String {
        var parts: [String] = []
        if let total {
            parts.append("\(grouped(done)) of \(grouped(total)) events")
        } else {
            parts.append("\(grouped(done)) events")
        }
        parts.append("\(grouped(Int(rate)))/s")
        if let total, done < total, rate > 0 {
            parts.append("\(clockText(Int(Double(total - done) / rate))) left")
        } else {
            parts.append(clockText(Int(elapsed / .seconds(1))))
        }
        if !note.isEmpty {
            parts.append(note)
        }
        return parts.joined(separator: ", ")
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// 1234567 as `1,234,567`.
package func grouped(_ number: Int) -> String {
    var digits = String(number.magnitude)
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
        place -= 3
    }
    return number < 0 ? "-" + digits : digits
}

/// Seconds as `1:02:03` or `2:03`.
package func clockText(_ seconds: Int) -> String {
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
}
