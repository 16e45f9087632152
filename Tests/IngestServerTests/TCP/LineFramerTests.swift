import Testing

@testable import IngestServer

/// Lines. Method: every text is fed in all ways to cut it into two portions and byte by byte; the lines must not
/// change.
@Suite struct LineFramerTests {
    /// What comes out, in words: lines in quotes, "long" for one beyond the limit.
    private static func lines(_ portions: [[UInt8]], limit: Int, ends: Bool) -> [String] {
        var framer = LineFramer(limit: limit)
        var unread: [UInt8] = []
        var found: [String] = []
        func note(_ step: LineFramer.Step) -> Bool {
            switch step {
            case .needMore(let consumed):
                unread.removeFirst(consumed)
                return false
            case .line(let range, let consumed):
                found.append("'\(String(decoding: unread[range], as: UTF8.self))'")
                unread.removeFirst(consumed)
            case .tooLong(let consumed):
                found.append("long")
                unread.removeFirst(consumed)
            }
            return true
        }
        for portion in portions {
            unread += portion
            while note(unread.withUnsafeBytes { framer.next($0) }) {}
        }
        if ends, let last = unread.withUnsafeBytes({ framer.end($0) }) { _ = note(last) }
        return found
    }

    @Test(
        arguments: [
            ("a\nbc\r\n\n\r\nd", ["'a'", "'bc'", "''", "''"], ["'d'"]),
            ("abcd\nabcde\nab", ["'abcd'", "long"], ["'ab'"]),
            ("abcd\r\nabcd\r\r\nx", ["'abcd'", "long"], ["'x'"]),
            ("abcdefghijklmnop\nq\n", ["long", "'q'"], []),
            ("abcdefgh", [], ["long"]),
            ("a\rb\n\r", ["'a\rb'"], ["''"]),
            ("", [], []),
        ] as [(String, [String], [String])]
    )
    func howTheBytesAreCutChangesNothing(_ text: String, _ ended: [String], _ last: [String]) {
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            let portions = [Array(bytes[..<cut]), Array(bytes[cut...])]
            #expect(Self.lines(portions, limit: 4, ends: false) == ended)
            #expect(Self.lines(portions, limit: 4, ends: true) == ended + last)
        }
        #expect(Self.lines(bytes.map { [$0] }, limit: 4, ends: true) == ended + last)
    }

    @Test func aLineWithoutEndIsNotKept() {
        var framer = LineFramer(limit: 10)
        let portion = [UInt8](repeating: 65, count: 12)
        #expect(portion.withUnsafeBytes { framer.next($0) } == .needMore(consumed: 12))
        #expect(framer.isWithinLine(unread: 0))
        #expect([UInt8]("A\nb\n".utf8).withUnsafeBytes { framer.next($0) } == .tooLong(consumed: 2))
        #expect(!framer.isWithinLine(unread: 0))
    }
}
