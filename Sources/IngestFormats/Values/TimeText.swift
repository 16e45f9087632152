import Records

/// Times and dates as text (RFC 3339, with the years that PostgreSQL adds) and as numbers.
enum TimeText {
    /// The day of the text read last: telemetry has the same one for a long time.
    struct DayMemo {
        var word: UInt64 = 0
        var tail: UInt16 = 0
        var day = 0
    }

    enum Zone {
        /// `timestamptz`: the text must say its zone.
        case required
        /// `timestamp`: PostgreSQL would ignore a zone, so only UTC may be said.
        case utcOnly
    }

    private static let microsecondsOfDay: Int64 = 86_400_000_000
    /// From 1970-01-01 to 2000-01-01.
    private static let unixShift: Int64 = 946_684_800_000_000

    /// Microseconds from 2000-01-01 00:00:00 UTC.
    static func instant(
        _ start: UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        _ zone: Zone,
        _ memo: inout DayMemo
    ) throws(ValueFault) -> Int64 {
        var end = end
        var p = start
        var day: Int
        guard end - start >= 8 else { throw .form }
        let beforeChrist = endsWithBC(&end, start)
        if end - start >= 19, start[4] == UInt8(ascii: "-"), !beforeChrist {
            let raw = UnsafeRawPointer(start)
            let word = raw.loadUnaligned(as: UInt64.self)
            let tail = (raw + 8).loadUnaligned(as: UInt16.self)
            if word == memo.word, tail == memo.tail {
                day = memo.day
            } else {
                day = try dayNumber(&p, end, beforeChrist: false)
                memo = DayMemo(word: word, tail: tail, day: day)
            }
            p = start + 10
        } else {
            if let infinity = infinity(start, end) {
                return infinity ? TimestampLimits.infinity : TimestampLimits.minusInfinity
            }
            day = try dayNumber(&p, end, beforeChrist: beforeChrist)
        }
        guard day >= DateLimits.first, day <= 106_751_983 else { throw .range }
        guard end - p >= 9, p[0] | 0x20 == UInt8(ascii: "t") || p[0] == UInt8(ascii: " ") else { throw .form }
        let time = try timeOfDay(&p, end)
        let offset = try zoneOffset(&p, end, zone)
        guard p == end else { throw .form }
        let instant = Int64(day) * microsecondsOfDay + time - offset
        guard TimestampLimits.contains(instant) else { throw .range }
        return instant
    }

    /// Days from 2000-01-01.
    static func date(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) throws(ValueFault) -> Int32 {
        var end = end
        var p = start
        guard end - start >= 8 else { throw .form }
        if let infinity = infinity(start, end) {
            return infinity ? DateLimits.infinity : DateLimits.minusInfinity
        }
        let beforeChrist = endsWithBC(&end, start)
        let day = try dayNumber(&p, end, beforeChrist: beforeChrist)
        guard p == end else { throw .form }
        guard day >= DateLimits.first, day <= DateLimits.last else { throw .range }
        return Int32(day)
    }

    /// Microseconds from 2000-01-01 of a Unix time, whose unit follows from its size: up to 11 digits before the point are
    /// seconds, 12 to 14 milliseconds, 15 to 17 microseconds, 18 to 20 nanoseconds. What is finer than a microsecond is
    /// rounded, half to even.
    static func unix(_ digits: DecimalDigits) throws(ValueFault) -> Int64 {
        let significant = digits.significant
        if significant.count == 0 { return -unixShift }
        let scale: Int
        switch significant.point {
        case ...11: scale = 6
        case ...14: scale = 3
        case ...17: scale = 0
        case ...20: scale = -3
        default: throw .range
        }
        // The value is 0.d₁d₂… × 10^places microseconds, and places is at most 17.
        let places = significant.point + scale
        if places < 0 { return -unixShift }
        var magnitude: Int64 = 0
        for index in 0..<places {
            magnitude = magnitude * 10 + Int64(index < significant.count ? digits.digit(significant.first + index) : 0)
        }
        if places < significant.count {
            let next = digits.digit(significant.first + places)
            let isTie = next == 5 && significant.count == places + 1
            if next > 5 || next == 5 && (!isTie || magnitude & 1 == 1) {
                magnitude += 1
            }
        }
        return (digits.isNegative ? -magnitude : magnitude) - unixShift
    }

    /// `YYYY-MM-DD` with a year of four to seven digits; leaves `p` behind it.
    private static func dayNumber(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        beforeChrist: Bool
    ) throws(ValueFault) -> Int {
        let first = p
        var year = 0
        while p < end, p[0] &- 0x30 < 10, p - first < 8 {
            year = year * 10 + Int(p[0] &- 0x30)
            p += 1
        }
        guard p - first >= 4, p - first <= 7, end - p >= 6 else { throw .form }
        guard p[0] == UInt8(ascii: "-"), p[3] == UInt8(ascii: "-") else { throw .form }
        let month = pair(p + 1)
        let day = pair(p + 4)
        guard month <= 99, day <= 99 else { throw .form }
        p += 6
        guard year > 0, month >= 1, month <= 12 else { throw .range }
        let astronomical = beforeChrist ? 1 - year : year
        guard day >= 1, day <= CalendarDay.count(inMonth: month, of: astronomical) else { throw .range }
        return CalendarDay.number(year: astronomical, month: month, day: day)
    }

    /// `THH:MM:SS` with up to nine digits of fraction, in microseconds; leaves `p` behind it.
    ///
    /// Like PostgreSQL this takes a second of 60 and the hour 24, as long as the sum does not pass the end of the day.
    private static func timeOfDay(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) throws(ValueFault) -> Int64 {
        guard p[3] == UInt8(ascii: ":"), p[6] == UInt8(ascii: ":") else { throw .form }
        let hour = pair(p + 1)
        let minute = pair(p + 4)
        let second = pair(p + 7)
        guard hour <= 99, minute <= 99, second <= 99 else { throw .form }
        guard hour <= 24, minute <= 59, second <= 60 else { throw .range }
        p += 9
        var time = Int64((hour * 60 + minute) * 60 + second) * 1_000_000
        if p < end, p[0] == UInt8(ascii: ".") {
            time += try fraction(&p, end)
        }
        guard time <= microsecondsOfDay else { throw .range }
        return time
    }

    private static func fraction(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>
    ) throws(ValueFault) -> Int64 {
        let first = p + 1
        p = first
        var value: Int64 = 0
        while p < end, p[0] &- 0x30 < 10, p - first < 10 {
            value = value * 10 + Int64(p[0] &- 0x30)
            p += 1
        }
        switch p - first {
        case 1: return value * 100_000
        case 2: return value * 10_000
        case 3: return value * 1000
        case 4: return value * 100
        case 5: return value * 10
        case 6: return value
        // The same two roundings as PostgreSQL's, so that the result is its result.
        case 7: return Int64((Double(value) / 1e7 * 1e6).rounded(.toNearestOrEven))
        case 8: return Int64((Double(value) / 1e8 * 1e6).rounded(.toNearestOrEven))
        case 9: return Int64((Double(value) / 1e9 * 1e6).rounded(.toNearestOrEven))
        default: throw .form
        }
    }

    /// Microseconds east of UTC of `Z`, `±hh`, `±hhmm` or `±hh:mm`; leaves `p` behind it.
    private static func zoneOffset(
        _ p: inout UnsafePointer<UInt8>,
        _ end: UnsafePointer<UInt8>,
        _ zone: Zone
    ) throws(ValueFault) -> Int64 {
        if p == end {
            if zone == .required { throw .form }
            return 0
        }
        if p[0] | 0x20 == UInt8(ascii: "z") {
            p += 1
            return 0
        }
        let isWest = p[0] == UInt8(ascii: "-")
        guard isWest || p[0] == UInt8(ascii: "+"), end - p >= 3 else { throw .form }
        let hours = pair(p + 1)
        var minutes = 0
        p += 3
        if p < end {
            if p[0] == UInt8(ascii: ":") { p += 1 }
            guard end - p >= 2 else { throw .form }
            minutes = pair(p)
            p += 2
        }
        guard hours <= 99, minutes <= 99 else { throw .form }
        guard hours <= 15, minutes <= 59 else { throw .range }
        let offset = Int64(hours * 60 + minutes) * 60_000_000
        if zone == .utcOnly, offset != 0 { throw .form }
        return isWest ? -offset : offset
    }

    /// The value of two digits; more than 99 if they are not.
    @inline(__always)
    private static func pair(_ p: UnsafePointer<UInt8>) -> Int {
        let tens = Int(p[0] &- 0x30)
        let ones = Int(p[1] &- 0x30)
        return tens < 10 && ones < 10 ? tens * 10 + ones : 1000
    }

    /// Takes " BC" off the end.
    @inline(__always)
    private static func endsWithBC(_ end: inout UnsafePointer<UInt8>, _ start: UnsafePointer<UInt8>) -> Bool {
        guard end[-1] == UInt8(ascii: "C"), end[-2] == UInt8(ascii: "B"), end[-3] == UInt8(ascii: " ") else {
            return false
        }
        end -= 3
        return true
    }

    /// True for `infinity`, false for `-infinity`, nil for anything else.
    private static func infinity(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Bool? {
        let word: StaticString = "infinity"
        let isNegative = start[0] == UInt8(ascii: "-")
        let first = isNegative ? start + 1 : start
        guard end - first == word.utf8CodeUnitCount, same(first, word.utf8Start, word.utf8CodeUnitCount) else {
            return nil
        }
        return !isNegative
    }
}
