import Logging
import PostgresWire
import ReadProxy
import Synchronization
import Testing

@testable import ForebayRuntime

// Files of users and of the reader's password that change; each look is called for, so that no test waits.

@Suite struct LiveUsersTests {
    /// Found by reading: both files were taken up together or not at all, so that a line too many in the file of users kept the new password from the nodes.
    @Test func aBadFileDoesNotHoldTheOtherOneBack() throws {
        try withDirectory { directory in
            let users = try directory.put("users", "alice a\n")
            let password = try directory.put("reader", "first\n")
            let yaml = "read: { users_file: \(users) }\npostgres: { reader: { password_file: \(password) } }"
            let live = try LiveUsers(try load(yaml).configuration, logger: silent)
            let told = Mutex<String?>(nil)
            live.show { _, password in told.withLock { $0 = password } }

            _ = try directory.put("users", "nonsense\n")
            _ = try directory.put("reader", "second\n")
            live.look()
            #expect(told.withLock { $0 } == "second")
            #expect(live.current["alice"] != nil)

            _ = try directory.put("users", "bob b\n")
            _ = try directory.put("reader", "two\nlines\n")
            live.look()
            #expect(told.withLock { $0 } == "second")
            #expect(live.current["alice"] == nil)
            #expect(live.current["bob"] != nil)
            #expect(live.current["apm_reader"]?.isProved(by: "second") == true)

            _ = try directory.put("reader", "third\n")
            live.look()
            #expect(told.withLock { $0 } == "third")
            #expect(live.current["apm_reader"]?.isProved(by: "third") == true)
        }
    }

    private var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
