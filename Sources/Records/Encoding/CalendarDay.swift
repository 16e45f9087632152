/// Days of the proleptic Gregorian calendar, counted from 2000-01-01 as PostgreSQL does.
package enum CalendarDay {
    /// From 2000-01-01 back to 0000-03-01, the day that the arithmetic counts from.
    @usableFromInline static let epochShift = 730_425

    /// The day number of a date; `year` is astronomical (0 is 1 BC), and the date must exist.
    @inlinable
    package static func number(year: Int, month: Int, day: Int) -> Int {
        // A year that begins in March has its leap day at its end, so that months fall into a fixed pattern.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - epochShift
    }

    /// The date of a day number; `year` is astronomical.
    package static func date(_ number: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = number + epochShift
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// The days of a month of an astronomical year.
    @inlinable
    package static func count(inMonth month: Int, of year: Int) -> Int {
        if month == 2 {
            return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }
}
