import Foundation
import Glibc
import ProvingGround

/// Agents that number their events, resend what was not acknowledged, and keep a journal of what was.
struct AgentFleet {
    let yard: Yard
    let keys: Bool
    let journal: String
    private let process: ChildProcess
    private let output: Pipe

    init(_ yard: Yard, agents: Int, keys: Bool, rate: Int, seed: UInt64, padding: Int = 0, name: String = "agents")
        throws
    {
        self.yard = yard
        self.keys = keys
        journal = "\(yard.directory)/journal"
        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
        let before = try FileManager.default.contentsOfDirectory(atPath: journal).count
        output = Pipe()
        process = try ChildProcess(
            "\(yard.programs)/drill-agents",
            [
                "run", "--agents", "\(agents)", "--url", "http://127.0.0.1:\(yard.httpPort)",
                keys ? "--keys" : "--no-keys",
                "--rate", "\(rate)", "--journal", journal, "--seed", "\(seed)",
                "--padding", "\(padding)",
            ],
            name: name,
            log: "\(yard.directory)/\(name).log",
            output: output
        )
        let process = process
        yard.onRemoval { if process.isRunning { process.crash() } }
        // A journal per agent says that they have begun, and that their signal handler is in place.
        let journal = journal
        try waitUntil("the agents have begun", within: 30) {
            guard process.isRunning else {
                throw YardFault("the agents ended at once; see \(yard.directory)/\(name).log")
            }
            return try FileManager.default.contentsOfDirectory(atPath: journal).count >= before + agents
        }
    }

    /// Lets every agent finish what it has begun, and returns the summary that they print.
    func finish() throws -> String {
        process.signal(SIGTERM)
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        let status = process.wait()
        let text = String(decoding: data, as: UTF8.self)
        guard status == 0 else {
            throw YardFault("the agents ended with status \(status); see \(yard.directory)\n\(text)")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Holds the journal against the event ids that PostgreSQL has; throws if an acknowledged event is missing, or there twice
    /// although its batch had a key.
    func count() throws -> String {
        let ids = "\(yard.directory)/ids"
        try yard.query("\\copy (SELECT trace_id FROM apirequests) TO '\(ids)'")
        let result = try capture(
            "/bin/sh",
            [
                "-c", "\"$0\" count --journal \"$1\" < \"$2\"",
                "\(yard.programs)/drill-agents", journal, ids,
            ]
        )
        return result.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
