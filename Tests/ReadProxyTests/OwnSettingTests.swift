import Records
import Testing

@testable import ReadProxy

@Suite
struct OwnSettingTests {
    private static let first = "00000000-0000-0000-0000-00000000000a.0.7"
    private static let second = "00000000-0000-0000-0000-00000000000b.1.9"
    private static let positions = [first, second].compactMap { Position(receipt: $0) }

    @Test(arguments: [
        "SET forebay.after = '\(first),\(second)'", "set Session FOREBAY.AFTER to ' \(first) , \(second) ';",
        "\tSET forebay.after='\(first),\(second)' ; ",
    ])
    func aFloorIsSet(text: String) throws {
        #expect(try OwnSetting(parsing: text) == .set(Self.positions))
    }

    @Test(arguments: [
        "RESET forebay.after", "SET forebay.after = ''", "SET forebay.after TO DEFAULT", "set forebay.after=','",
    ])
    func aFloorIsTakenAway(text: String) throws {
        #expect(try OwnSetting(parsing: text) == .set([]))
    }

    @Test
    func aFloorIsShown() throws {
        #expect(try OwnSetting(parsing: "show forebay.After;") == .show)
    }

    @Test(arguments: [
        "", ";", "SET", "SET forebay.after", "SET forebay.after =", "SET forebay.after = x",
        "SET LOCAL forebay.after = ''",
        "SET forebay.before = ''", "SET forebay.after = '", "SET forebay.after = '';SELECT 1", "SHOW forebay.nodes",
        "SELECT 1; SET forebay.after = ''", "RESET forebay.after forebay.after", "SET forebay.after = '' ''",
    ])
    func otherFormsAreRefused(text: String) {
        #expect(throws: OwnSetting.Fault.form) { try OwnSetting(parsing: text) }
    }

    @Test
    func receiptsAreChecked() {
        #expect(throws: OwnSetting.Fault.receipt("x")) { try OwnSetting(parsing: "SET forebay.after = 'x'") }
        let many = Array(repeating: Self.first, count: 65).joined(separator: ",")
        #expect(throws: OwnSetting.Fault.tooMany(limit: 64)) { try OwnSetting.positions(many) }
    }
}
