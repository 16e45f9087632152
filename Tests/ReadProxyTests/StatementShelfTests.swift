// Method: texts go in, and whether a text is known again tells what was kept.

import NIOCore
import Testing

@testable import ReadProxy

@Suite
struct StatementShelfTests {
    private func number(of text: String, in shelf: inout StatementShelf) -> Int {
        statement(text, under: "", in: &shelf).number
    }

    private func statement(_ text: String, under reading: String?, in shelf: inout StatementShelf) -> PreparedStatement
    {
        shelf.statement(tail: ByteBuffer(string: text).readableBytesView, reading: reading, traits: [])
    }

    @Test
    func equalTextsAreOneStatement() {
        var shelf = StatementShelf(limit: 10, limitBytes: 1000)
        #expect(number(of: "a", in: &shelf) == 1)
        #expect(number(of: "b", in: &shelf) == 2)
        #expect(number(of: "a", in: &shelf) == 1)
    }

    @Test(arguments: [(limit: 2, limitBytes: 1000), (limit: 10, limitBytes: 100)])
    func itIsClearedWhenItIsFull(limit: Int, limitBytes: Int) {
        var shelf = StatementShelf(limit: limit, limitBytes: limitBytes)
        // Each text is kept twice.
        let texts = ["a", "b", "c"].map { String(repeating: $0, count: 25) }
        #expect(texts.prefix(2).map { number(of: $0, in: &shelf) } == [1, 2])
        #expect(number(of: texts[2], in: &shelf) == 3)
        #expect(number(of: texts[0], in: &shelf) == 4)
        #expect(number(of: texts[2], in: &shelf) == 3)
    }

    /// It goes by itself as soon as another one comes.
    @Test
    func oneThatIsLargerThanTheShelfIsServed() {
        var shelf = StatementShelf(limit: 10, limitBytes: 10)
        let text = String(repeating: "a", count: 100)
        #expect(number(of: text, in: &shelf) == 1)
        #expect(number(of: text, in: &shelf) == 1)
        #expect(number(of: "b", in: &shelf) == 2)
        #expect(number(of: text, in: &shelf) == 3)
    }

    @Test
    func equalTextsUnderOtherSettingsAreOthers() {
        var shelf = StatementShelf(limit: 10, limitBytes: 1000)
        let first = statement("a", under: "x", in: &shelf)
        for (text, reading) in [("b", "x"), ("a", "y"), ("a", nil), ("a", nil)] {
            let other = statement(text, under: reading, in: &shelf)
            #expect(other !== first && other.number != first.number)
        }
        #expect(statement("a", under: "x", in: &shelf) === first)
    }

    @Test(arguments: ["x", nil])
    func aStatementTellsWhatItWasMadeOf(reading: String?) {
        var shelf = StatementShelf(limit: 10, limitBytes: 1000)
        #expect(Array(statement("a\0\0\0", under: reading, in: &shelf).tail) == Array("a\0\0\0".utf8))
    }

    @Test
    func whatIsForgottenIsMadeAnewAndTakesNoRoom() {
        var shelf = StatementShelf(limit: 10, limitBytes: 10)
        let first = statement("a", under: "x", in: &shelf)
        let other = statement("b", under: "x", in: &shelf)
        shelf.forget(first)
        let second = statement("a", under: "x", in: &shelf)
        #expect(second.number > other.number)
        // It is another one by now.
        shelf.forget(first)
        shelf.forget(statement("a", under: nil, in: &shelf))
        #expect(statement("a", under: "x", in: &shelf) === second)
        // Three bytes each: three have room.
        for _ in 0..<10 { shelf.forget(statement("c", under: "x", in: &shelf)) }
        #expect(statement("b", under: "x", in: &shelf) === other)
    }
}
