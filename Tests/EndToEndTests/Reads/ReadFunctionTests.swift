// Method: a real cluster of a primary and two replicas, one of which shows everything half a second late; the real proxy, which asks agents for tokens and knows a user
// besides the reader; and clients of its read port and of its queries over HTTP. One yard serves all tests of the suite, one after the other.

import Foundation
import LocalPostgres
import PostgresWire
import ProvingGround
import Records
import Testing

@Suite(.serialized)
final class ReadFunctionTests {
    let yard: Yard
    let password: String

    init() throws {
        yard = try FunctionYard.shared.get()
        password = try yard.readerPassword
    }

    func client(
        _ user: String = "apm_reader",
        password: String? = nil,
        _ more: [StartupMessage.Parameter] = []
    ) throws -> WireClient {
        let client = try WireClient(port: yard.readPort)
        try client.login(user: user, password: password ?? self.password, more)
        return client
    }

    /// Standard output and standard error together, and the status.
    func psql(_ arguments: [String]) throws -> (status: Int32, text: String) {
        try outcome(of: "psql", ["-X"] + arguments, environment: yard.reader)
    }
}

/// The yard of the suite: made when it is first asked for, removed when the process ends.
enum FunctionYard {
    /// A user of the read port, whose name an agent's token has too.
    static let user = "alice"

    // One test at a time uses it, as the suite is serialized.
    nonisolated(unsafe) static let shared: Result<Yard, any Error> = Result {
        atexit { try? FunctionYard.shared.get().remove() }
        let programs = try #require(DrillTests.programs).path()
        let yard = try Yard(Yard.Plan(replicas: 2), programs: programs)
        try Data("\(user) first-password\n".utf8).write(to: URL(filePath: users(of: yard)))
        yard.proxyEnvironment = [
            "FOREBAY_READ_USERS_FILE": users(of: yard), "FOREBAY_READ_TOKENS_FILE": "\(yard.directory)/read-tokens",
            "FOREBAY_READ_READ_AFTER_WRITE_TTL": "10s",
            "FOREBAY_INGEST_AUTH": "tokens", "FOREBAY_INGEST_TOKENS_FILE": "\(yard.directory)/tokens",
        ]
        readToken = try token("grafana", ["--read", "--file", "\(yard.directory)/read-tokens"], programs)
        agentToken = try token(user, ["--file", "\(yard.directory)/tokens"], programs)
        let late = try #require(yard.cluster.replicas.last)
        try late.execute("ALTER SYSTEM SET recovery_min_apply_delay = '500ms'")
        try late.execute("SELECT pg_reload_conf()")
        try yard.startProxy()
        try yard.waitForStreams()
        try yard.cluster.waitForReplicas()
        return yard
    }

    // Set before the yard is handed out.
    nonisolated(unsafe) private(set) static var readToken = ""
    /// Of the agent with the user's name.
    nonisolated(unsafe) private(set) static var agentToken = ""

    private static func token(_ name: String, _ more: [String], _ programs: String) throws -> String {
        try capture("\(programs)/forebay", ["token", "create", name] + more, environment: [:])
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    static func users(of yard: Yard) -> String { "\(yard.directory)/users" }
}
