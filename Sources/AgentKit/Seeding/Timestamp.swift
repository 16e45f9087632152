/// A moment in microseconds since 1970-01-01 00:00:00 UTC, leap seconds not counted: what PostgreSQL's timestamptz can hold.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    package static let microsecondsPerSecond: Int64 = 1_000_000
    package static let microsecondsPerDay: Int64 = 86_400 * microsecondsPerSecond

    /// Parses `2026-01-31`, `2026-01-31T12:00`, `2026-01-31T12:00:00` with `Z` or nothing behind (both mean UTC), `now`,
    /// and a distance from now such as `-24h`, `-7d`, `-90m`, `+30s`; nil for anything else.
    package init?(argument: String, now: Timestamp) {
        if argument == "now" {
            self = now
        } else if let sign = argument.first, sign == "-" || sign == "+" {
            guard let distance = Self.distance(argument.dropFirst()) else { return nil }
            let (sum, overflow) = now.microseconds.addingReportingOverflow(sign == "-" ? -distance : distance)
            guard !overflow else { return nil }
            self.init(microseconds: sum)
        } else {
            guard let moment = Self.moment(argument) else { return nil }
            self = moment
        }
    }

    private static func distance(_ text: Substring) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = digits(text.dropLast(), 1...7) else {
            return nil
        }
        return number * unit * microsecondsPerSecond
    }

    private static func moment(_ text: String) -> Timestamp? {
        let halves = text.split(separator: "T", maxSplits: 1, omittingEmptySubsequences: false)
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard date.count == 3, let year = digits(date[0], 4...4), let month = digits(date[1], 2...2),
            let day = digits(date[2], 2...2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = daysFromCivil(year: year, month: month, day: day)
        guard civil(days: days) == (year, month, day) else { return nil }
        var seconds: Int64 = 0
        if halves.count == 2 {
            let clock = (halves[1].hasSuffix("Z") ? halves[1].dropLast() : halves[1])
                .split(separator: ":", omittingEmptySubsequences: false).map { digits($0, 2...2) }
            guard (2...3).contains(clock.count), let hour = clock[0], let minute = clock[1],
                let second = clock.count == 3 ? clock[2] : 0, hour < 24, minute < 60, second < 60
            else { return nil }
            seconds = hour * 3600 + minute * 60 + second
        }
        return Timestamp(microseconds: days * microsecondsPerDay + seconds * microsecondsPerSecond)
    }

    private static func digits(_ text: Substring, _ length: ClosedRange<Int>) -> Int64? {
        guard length.contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }

    /// Days since 1970-01-01 of a date in the Gregorian calendar, counted by years that begin in March, so that the leap day
    /// comes last.
    private static func daysFromCivil(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// Appends the form `2026-01-31T12:00:00.000000Z` (RFC 3339), 27 bytes. Years outside 0 … 9999 are not expected here.
    package func append(to bytes: inout [UInt8]) {
        let days = Self.floorDivide(microseconds, Self.microsecondsPerDay)
        let ofDay = microseconds - days * Self.microsecondsPerDay
        let (year, month, day) = Self.civil(days: days)
        let seconds = ofDay / Self.microsecondsPerSecond
        func field(_ value: Int64, _ width: Int, _ after: UInt8) {
            var divisor: Int64 = 1
            for _ in 1..<width { divisor *= 10 }
            while divisor > 0 {
                bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
                divisor /= 10
            }
            bytes.append(after)
        }
        field(year, 4, UInt8(ascii: "-"))
        field(month, 2, UInt8(ascii: "-"))
        field(day, 2, UInt8(ascii: "T"))
        field(seconds / 3600, 2, UInt8(ascii: ":"))
        field(seconds / 60 % 60, 2, UInt8(ascii: ":"))
        field(seconds % 60, 2, UInt8(ascii: "."))
        field(ofDay % Self.microsecondsPerSecond, 6, UInt8(ascii: "Z"))
    }

    /// Monday is 0. 1970-01-01 was a Thursday.
    var weekday: Int {
        let days = Self.floorDivide(microseconds, Self.microsecondsPerDay)
        return Int(((days + 3) % 7 + 7) % 7)
    }

    /// Hours since midnight UTC, with their fraction: 0 ..< 24.
    var hourOfDay: Double {
        let days = Self.floorDivide(microseconds, Self.microsecondsPerDay)
        return Double(microseconds - days * Self.microsecondsPerDay) / Double(3600 * Self.microsecondsPerSecond)
    }
}

extension Timestamp: CustomStringConvertible {
    package var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
