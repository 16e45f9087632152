import AgentKit
import Glibc
import LocalPostgres
import ProvingGround

/// A service in Python that writes each request to PostgreSQL before it answers.
final class PythonService: Contender {
    enum Mode: String {
        case insert
        case copy
    }

    let name: String
    let note: String
    private let yard: Yard
    private let mode: Mode
    private let program: String
    private let load: Load

    init(_ conditions: Conditions, _ yard: Yard, _ mode: Mode, _ load: Load) {
        name = mode == .insert ? "Python INSERT" : "Python COPY"
        note = """
            aiohttp, uvloop and asyncpg in two processes, one \(mode == .insert ? "INSERT" : "COPY (FORMAT binary)") per request; \
            answers after PostgreSQL's commit, so PostgreSQL is up, whose own work is not in the CPU figure; a repeated request doubles
            """
        self.yard = yard
        self.mode = mode
        program = "\(conditions.rivals)/service.py"
        self.load = load
    }

    func round(isLast: Bool) async throws -> Sample {
        try yard.query("TRUNCATE apirequests")
        try yard.query("CHECKPOINT")
        let port = try LoopbackPort.free()
        let log = "\(yard.directory)/service.log"
        // Debian's, which has the packages.
        let service = try ChildProcess(
            "/usr/bin/python3",
            [program, mode.rawValue, "\(port)"],
            name: "service",
            environment: yard.administrator,
            log: log
        )
        defer {
            service.signal(SIGTERM)
            service.wait()
        }
        try waitUntil("the service answers", within: 20) {
            guard service.isRunning else { throw YardFault("the service ended; see \(log)") }
            return LoopbackHTTP(port: port).get("/healthz")?.status == 200
        }
        // The other process may still be on its way.
        usleep(500_000)
        let report = try await load.run(port: port, processes: [service.pid] + service.children)
        try expectRows(report.acknowledgedInAll, in: yard)
        return load.sample(report)
    }
}
