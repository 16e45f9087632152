import Testing

@testable import IngestServer

/// The character classes, spelled out against the words that the source keeps them in.
@Suite struct HTTPCharactersTests {
    private static let alphanumerics = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    private func members(_ contains: (UInt8) -> Bool) -> Set<UInt8> { Set((0...255).filter(contains)) }
    private func set(_ punctuation: String) -> Set<UInt8> { Set((punctuation + Self.alphanumerics).utf8) }

    @Test func theClasses() {
        #expect(members(HTTPCharacters.isToken) == set("!#$%&'*+-.^_`|~"))
        #expect(members(HTTPCharacters.isTarget) == set("-._~!$&'()*+,;=:@/?%"))
        #expect(members(HTTPCharacters.isHost) == set("-._~!$&'()*+,;=:[]%"))
        #expect(members(HTTPCharacters.isDigit) == Set("0123456789".utf8))
        #expect(members { HTTPCharacters.hexValue($0) != nil } == Set("0123456789abcdefABCDEF".utf8))
        #expect(
            members { byte in [byte].withUnsafeBytes { HTTPCharacters.holdsControl($0) } }
                == Set((0..<32).filter { $0 != 9 } + [127])
        )
    }

    @Test func comparingWithoutCase() {
        func equal(_ text: String, _ lowercase: StaticString) -> Bool {
            Array(text.utf8).withUnsafeBytes { HTTPCharacters.equal($0, ignoringCase: lowercase) }
        }
        #expect(equal("Content-LENGTH", "content-length"))
        #expect(!equal("content-lengt", "content-length"))
        #expect(!equal("content_length", "content-length"))
        #expect(!equal("hos\u{14}", "host"))
    }
}
