// Method: drivers as their makers deliver them, each with a program of its own in Clients, which ends with "done" if everything was as it should be.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

extension ReadPortTests {
    private static let clients = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Clients")

    private func expectDone(_ program: String, _ arguments: [String]) throws {
        let outcome = try run(program, arguments)
        #expect(outcome.status == 0 && outcome.text.hasSuffix("done\n"), "\(outcome.text)")
    }

    /// Each is a package of `make test-deps`.
    @Test(arguments: ["with_psycopg2.py", "with_psycopg3.py", "with_asyncpg.py"])
    func driversOfPython(program: String) throws {
        try expectDone("/usr/bin/python3", ["-I", Self.clients.appending(path: program).path()])
    }

    /// Prepared statements at once and at the fifth time, cursors by fetch size, cancelling, and the catalogue.
    @Test
    func theDriverOfJava() throws {
        let driver = "/usr/share/java/postgresql.jar"
        let classes = "\(yard.directory)/classes"
        let source = Self.clients.appending(path: "WithJDBC.java").path()
        try capture("ecj", ["-17", "-proc:none", "-cp", driver, "-d", classes, source])
        try expectDone("java", ["-Xmx128m", "-cp", "\(classes):\(driver)", "WithJDBC"])
    }

    @Test
    func controlCInPsql() throws {
        try expectDone("/usr/bin/python3", ["-I", Self.clients.appending(path: "control_c.py").path()])
        try waitUntil("the statement has ended on its node", within: 10) { try sleepers() == 0 }
    }
}
