import Foundation
import Glibc
import LocalPostgres
import ProvingGround

/// nginx, which reads each request and forgets it.
final class NginxDiscard: Contender {
    let name: String
    let note: String
    private let workers: Int
    private let template: String
    private let directory: String
    private let load: Load

    /// - Parameter workers: nil for as many as there are processors, which nginx's manual advises.
    init(_ conditions: Conditions, directory: String, _ load: Load, name: String = "nginx", workers: Int? = nil) {
        self.name = name
        self.workers = workers ?? ProcessInfo.processInfo.activeProcessorCount
        note = """
            reads the body, forgets it and answers 200: what HTTP itself costs; promises nothing; \
            \(self.workers) worker\(self.workers == 1 ? "" : "s")
            """
        template = "\(conditions.rivals)/nginx.conf"
        self.directory = directory
        self.load = load
    }

    func round(isLast: Bool) async throws -> Sample {
        let port = try LoopbackPort.free()
        let file = "\(directory)/nginx.conf"
        try Template.fill(template, ["DIRECTORY": directory, "PORT": "\(port)", "WORKERS": "\(workers)"], to: file)
        let nginx = try ChildProcess(
            "/usr/sbin/nginx",
            ["-e", "\(directory)/nginx-error.log", "-c", file],
            name: "nginx",
            log: "\(directory)/nginx.log"
        )
        defer {
            nginx.signal(SIGTERM)
            nginx.wait()
        }
        try waitUntil("nginx answers", within: 10) {
            guard nginx.isRunning else { throw YardFault("nginx did not start; see \(directory)/nginx-error.log") }
            return LoopbackHTTP(port: port).post("/v1/ingest/apirequests", body: "{}")?.status == 200
        }
        let report = try await load.run(port: port, processes: [nginx.pid] + nginx.children)
        return load.sample(report)
    }
}
