import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

/// Files of users and passwords that change under a running proxy.
extension ReadFunctionTests {
    private func code(ofLogin user: String, _ password: String) -> String? {
        do {
            _ = try client(user, password: password)
            return nil
        } catch let report as Report {
            return report.code
        } catch {
            return "\(error)"
        }
    }

    private func write(_ lines: String) throws {
        try Data(lines.utf8).write(to: URL(filePath: FunctionYard.users(of: yard)), options: .atomic)
    }

    @Test
    func usersComeAndGoWithoutARestart() throws {
        defer { try? write("\(FunctionYard.user) first-password\n") }
        let before = try client(FunctionYard.user, password: "first-password")
        try write("\(FunctionYard.user) second-password\nbob bobs\n")
        try waitUntil("bob may log in", within: 30) { code(ofLogin: "bob", "bobs") == nil }
        #expect(code(ofLogin: FunctionYard.user, "second-password") == nil)
        #expect(code(ofLogin: FunctionYard.user, "first-password") == "28P01")
        #expect(try before.query("SELECT 1") == [["1"]])
        // A file that can't be read leaves what there is.
        try write("nonsense\n")
        try waitUntil("the fault is logged", within: 30) {
            try String(contentsOfFile: self.yard.proxyLog, encoding: .utf8).contains("those read before stay")
        }
        #expect(code(ofLogin: "bob", "bobs") == nil)
        try write("\(FunctionYard.user) first-password\n")
        try waitUntil("bob is gone", within: 30) { code(ofLogin: "bob", "bobs") == "28P01" }
        #expect(code(ofLogin: FunctionYard.user, "first-password") == nil)
    }

    /// The reader's own password changes in PostgreSQL and in its file: the clients' logins and the connections to the nodes follow.
    @Test
    func theReadersPasswordChangesWithoutARestart() throws {
        let file = "\(yard.directory)/reader"
        defer {
            _ = try? yard.query("ALTER ROLE apm_reader PASSWORD '\(password)'")
            try? Data(password.utf8).write(to: URL(filePath: file), options: .atomic)
            try? waitUntil("the first password is good again", within: 30) {
                code(ofLogin: "apm_reader", password) == nil
            }
        }
        try yard.query("ALTER ROLE apm_reader PASSWORD 'another'")
        try Data("another".utf8).write(to: URL(filePath: file), options: .atomic)
        try waitUntil("the new password is good", within: 30) { code(ofLogin: "apm_reader", "another") == nil }
        #expect(code(ofLogin: "apm_reader", password) == "28P01")
        // Connections to the nodes that are opened now.
        for node in yard.cluster.nodes {
            try node.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'apm_reader'")
        }
        try waitUntil("reads go on", within: 30) {
            let rows = try? self.client("apm_reader", password: "another").query("SELECT pg_is_in_recovery()")
            return rows == [["t"]]
        }
    }
}
