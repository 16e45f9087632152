import Records
import Testing

/// Day numbers against known dates, and both directions against each other over the whole range.
@Suite struct CalendarDayTests {
    @Test(arguments: [
        (2000, 1, 1, 0), (1999, 12, 31, -1), (2000, 2, 29, 59), (2000, 3, 1, 60), (1970, 1, 1, -10_957),
        (5_874_897, 12, 31, DateLimits.last), (-4713, 11, 24, DateLimits.first), (0, 2, 29, -730_426),
    ])
    func knownDates(year: Int, month: Int, day: Int, number: Int) {
        #expect(CalendarDay.number(year: year, month: month, day: day) == number)
        #expect(CalendarDay.date(number) == (year, month, day))
    }

    @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
        var previous = CalendarDay.date(-146_100)
        for number in -146_099...146_100 {
            let date = CalendarDay.date(number)
            #expect(CalendarDay.number(year: date.year, month: date.month, day: date.day) == number)
            if date.day == 1 {
                #expect(previous.day == CalendarDay.count(inMonth: previous.month, of: previous.year))
            } else {
                #expect(date.day == previous.day + 1)
            }
            previous = date
        }
    }

    @Test func theWholeRangeGoesThereAndBack() {
        for number in stride(from: DateLimits.first, through: DateLimits.last, by: 9973) {
            let date = CalendarDay.date(number)
            #expect(CalendarDay.number(year: date.year, month: date.month, day: date.day) == number)
        }
    }
}
