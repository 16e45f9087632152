import Foundation
import Testing

@testable import ForebayRuntime

// The file of tokens: what is written can be read, what is odd is refused by line, and no token stands in it.

@Suite struct TokenFileTests {
    @Test func aTokenThatWasMadeIsFoundAndAnotherIsNot() throws {
        try withDirectory { directory in
            let path = "\(directory.path)/tokens"
            let first = TokenFile.makeToken()
            let second = TokenFile.makeToken()
            try TokenFile.add(.init(digest: TokenFile.digest(of: first), name: "web", streams: ["a", "b"]), to: path)
            try TokenFile.add(.init(digest: TokenFile.digest(of: second), name: "all", streams: nil), to: path)

            let file = try TokenFile.load(path)
            #expect(file.entry(ofToken: first)?.name == "web")
            #expect(file.entry(ofToken: first)?.mayWrite(to: "b") == true)
            #expect(file.entry(ofToken: first)?.mayWrite(to: "c") == false)
            #expect(file.entry(ofToken: second)?.mayWrite(to: "c") == true)
            for wrong in ["", "x", String(first.dropLast()) + "_", first + "x", first.uppercased()] {
                #expect(file.entry(ofToken: wrong) == nil)
            }
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(!text.contains(first) && !text.contains(second))
            #expect(try SmallFile.mode(path) == 0o600)
        }
    }

    @Test func aTokenIs256BitsOfBase64URL() {
        let ones = [UInt8](repeating: 255, count: 32)
        #expect(TokenFile.token(of: ones) == "fby_" + String(repeating: "_", count: 42) + "8")
        // As any base64url encoder writes them.
        let counting = (0..<32).map { UInt8($0) }
        let expected = Data(counting).base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
        #expect(TokenFile.token(of: counting) == "fby_" + expected)
    }

    /// FIPS 180-4's example of SHA-256.
    @Test func theDigestIsSHA256() {
        #expect(
            encodeHexadecimal(TokenFile.digest(of: "abc"))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test func commentsAndEmptyLinesStay() throws {
        try withDirectory { directory in
            let path = try directory.put("tokens", "# mine\n\n  # too")
            try TokenFile.add(.init(digest: Array(repeating: 1, count: 32), name: "n", streams: nil), to: path)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text == "# mine\n\n  # too\n\(String(repeating: "01", count: 32)) n *\n")
        }
    }

    @Test(arguments: [
        ("a b\n", 1, "a line is a digest, a name and streams, not 2 fields"),
        ("# c\n\nxyz n *\n", 3, "the digest is not 64 hexadecimal digits"),
        (String(repeating: "+1", count: 32) + " n *", 1, "the digest is not 64 hexadecimal digits"),
    ])
    func oddLinesAreRefused(text: String, line: Int, reason: String) {
        let fault = #expect(throws: TokenFile.Fault.self) { try TokenFile(parsing: Array(text.utf8), named: "t") }
        #expect(fault == TokenFile.Fault(path: "t", line: line, reason: reason))
    }

    @Test func aNameStandsInTheFileOnce() throws {
        try withDirectory { directory in
            let path = "\(directory.path)/tokens"
            let entry = TokenFile.Entry(digest: Array(repeating: 1, count: 32), name: "n", streams: nil)
            try TokenFile.add(entry, to: path)
            let before = try SmallFile.read(path)
            let fault = #expect(throws: TokenFile.Fault.self) { try TokenFile.add(entry, to: path) }
            #expect(fault?.description == "\(path):3 (the name n stands here twice)")
            #expect(try SmallFile.read(path) == before)
        }
    }

    @Test func aDirectoryThatIsNotThereIsAFault() {
        let entry = TokenFile.Entry(digest: Array(repeating: 1, count: 32), name: "n", streams: nil)
        #expect(throws: TokenFile.Fault(path: "/none/tokens.new", line: 0, reason: "No such file or directory")) {
            try TokenFile.add(entry, to: "/none/tokens")
        }
    }
}
