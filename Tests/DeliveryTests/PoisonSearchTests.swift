import Records
import Testing

@testable import Delivery

/// Method: for every number of rows and every place of a bad one among them, with a right, a wrong or no line, the search is driven to its
/// end; it must find that row, with no more refusals than documented.
struct PoisonSearchTests {
    enum Naming: CaseIterable { case right, last, none }

    @Test(arguments: Naming.allCases)
    func theFirstBadRowIsFoundWithinTheBound(naming: Naming) {
        for count in 2...70 {
            for bad in 1...count {
                let (found, refusals) = Self.search(count: count, bad: bad, naming: naming)
                #expect(found == bad)
                let logarithm = Int.bitWidth - (count - 1).leadingZeroBitCount
                #expect(refusals <= logarithm + 3, "\(bad) of \(count)")
            }
        }
    }

    /// Rows are numbered from 1, and all of them were refused together. Returns the row that was condemned and the refusals, the first one included.
    private static func search(count: Int, bad: Int, naming: Naming) -> (found: Int, refusals: Int) {
        var search = PoisonSearch()
        var position = 0
        var refusals = 0
        var last = count
        while true {
            if (position + 1...last).contains(bad) {
                refusals += 1
                let named: Int? =
                    switch naming {
                    case .right: bad
                    case .last: last
                    case .none: nil
                    }
                let condemned = search.refused(
                    rows: last - position,
                    first: Offset(UInt64(position + 1)),
                    last: Offset(UInt64(last)),
                    named: named.map { Offset(UInt64($0)) }
                )
                if let condemned { return (Int(condemned.rawValue), refusals) }
            } else {
                search.landed(rows: last - position, position: Offset(UInt64(last)))
                position = last
            }
            guard let limit = search.limit(maximumRows: 1_000) else { return (0, refusals) }
            last = min(position + limit.rows, Int(limit.through.rawValue))
        }
    }

    @Test func aRowThatLandsAloneEndsTheSearch() {
        var search = PoisonSearch()
        _ = search.refused(rows: 2, first: Offset(1), last: Offset(2), named: Offset(1))
        #expect(search.limit(maximumRows: 9) == PoisonSearch.Limit(rows: 1, through: Offset(1)))
        search.landed(rows: 1, position: Offset(1))
        #expect(!search.isActive)
    }
}
