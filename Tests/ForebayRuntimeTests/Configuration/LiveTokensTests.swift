import Foundation
import Logging
import Testing

@testable import ForebayRuntime

// A running proxy takes up a changed file; each look is called for, so that no test waits.

@Suite struct LiveTokensTests {
    @Test func aTokenIsMadeAndWithdrawnWhileItRuns() throws {
        try withDirectory { directory in
            let path = "\(directory.path)/tokens"
            try TokenFile.add(.init(digest: TokenFile.digest(of: "a"), name: "first", streams: nil), to: path)
            let tokens = try LiveTokens(path: path, logger: silent)
            #expect(tokens.entry(ofToken: "a")?.name == "first")
            #expect(tokens.entry(ofToken: "b") == nil)

            try TokenFile.add(.init(digest: TokenFile.digest(of: "b"), name: "second", streams: nil), to: path)
            tokens.look()
            #expect(tokens.entry(ofToken: "b")?.name == "second")

            _ = try directory.put("tokens", "# none\n")
            tokens.look()
            #expect(tokens.entry(ofToken: "a") == nil)
        }
    }

    @Test func aFileThatCannotBeReadLeavesTheTokens() throws {
        try withDirectory { directory in
            let path = "\(directory.path)/tokens"
            try TokenFile.add(.init(digest: TokenFile.digest(of: "a"), name: "first", streams: nil), to: path)
            let tokens = try LiveTokens(path: path, logger: silent)
            _ = try directory.put("tokens", "nonsense\n")
            tokens.look()
            #expect(tokens.entry(ofToken: "a") != nil)
            try FileManager.default.removeItem(atPath: path)
            tokens.look()
            #expect(tokens.entry(ofToken: "a") != nil)
        }
    }

    @Test func aProxyThatAsksForTokensDoesNotStartWithoutTheirFile() {
        #expect(throws: TokenFile.Fault.self) { try LiveTokens(path: "/none/tokens", logger: silent) }
    }

    private var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
