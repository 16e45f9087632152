/// The digits and the unit of a text such as `64MiB` or `250 ms`; nil if it has no such form.
private func splitQuantity(_ text: String) -> (digits: Substring, unit: Substring)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty else { return nil }
    let rest = text.dropFirst(digits.count)
    return (digits, rest.hasPrefix(" ") ? rest.dropFirst() : rest)
}

extension ByteCount: Configurable {
    init(configured text: String) throws(ConfigurationMismatch) {
        let expected = "a number of bytes with its unit, as in 64MiB, 64MB or 0B"
        guard let (digits, unit) = splitQuantity(text) else { throw ConfigurationMismatch(expected: expected) }
        guard let scale = Self.units.first(where: { $0.name == unit }) else {
            // One who leaves the unit out means bytes; a unit in other letters, or of one letter, has one reading only.
            let names = Self.units.map(\.name)
            let wanted = unit.lowercased()
            let meant =
                unit.isEmpty
                ? "B" : names.first { $0.lowercased() == wanted || $0.lowercased() == wanted + "ib" }
            throw ConfigurationMismatch(expected: expected, remedy: meant.map { "Write \(digits)\($0)." })
        }
        let (bytes, overflow) = (Int(digits) ?? .max).multipliedReportingOverflow(by: scale.bytes)
        guard Int(digits) != nil, !overflow else {
            throw ConfigurationMismatch(expected: "at most \(Int.max)B")
        }
        self.init(bytes)
    }
}

extension Duration: Configurable {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000),
    ]

    /// The longest time that fits into 64 bits of nanoseconds is 292 years; a century is more than any setting needs.
    private static let most = Duration.seconds(36_500 * 86_400)

    init(configured text: String) throws(ConfigurationMismatch) {
        let expected = "a time with its unit, as in 250ms, 60s, 24h or 7d"
        guard let (digits, unit) = splitQuantity(text) else { throw ConfigurationMismatch(expected: expected) }
        guard let scale = Self.units.first(where: { $0.name == unit }) else {
            let spelled = [
                "": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m",
                "minutes": "m", "hour": "h", "hours": "h", "day": "d", "days": "d", "µs": "us", "S": "s", "H": "h",
                "D": "d",
            ]
            throw ConfigurationMismatch(
                expected: expected,
                remedy: spelled[String(unit)].map { "Write \(digits)\($0)." }
            )
        }
        let (nanoseconds, overflow) = (Int64(digits) ?? .max).multipliedReportingOverflow(by: scale.nanoseconds)
        guard Int64(digits) != nil, !overflow, Duration.nanoseconds(nanoseconds) <= Self.most else {
            throw ConfigurationMismatch(expected: "at most 36500d")
        }
        self = .nanoseconds(nanoseconds)
    }

    /// The time in the largest unit that leaves no fraction, as a configuration would spell it.
    package var configured: String {
        let (seconds, attoseconds) = components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        guard nanoseconds != 0 else { return "0s" }
        for unit in Self.units where nanoseconds.isMultiple(of: unit.nanoseconds) {
            return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
        }
        return "\(nanoseconds)ns"
    }

    /// Whole milliseconds, rounded down.
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }
}
