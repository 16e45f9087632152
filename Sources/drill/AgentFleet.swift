import Foundation
import Glibc
import ProvingGround

/// Agents that number their events, resend what was not acknowledged, and keep a journal of what was.
final class AgentFleet {
    private let yard: Yard
    private let journal: String
    private let log: String
    private let process: ChildProcess
    private let output = Pipe()
    private var longestGapMilliseconds = 0

    /// Starts the agents and waits until they have begun.
    ///
    /// - Parameters:
    ///   - agents: how many, and `rate`: how fast all of them together; nil for what the options say.
    ///   - number: a further fleet in the same yard has another one, and with it other events.
    ///   - padding: bytes of text in each event that do not compress.
    init(
        _ yard: Yard,
        _ options: DrillOptions,
        agents: Int? = nil,
        rate: Int? = nil,
        keys: Bool = true,
        padding: Int = 0,
        number: UInt64 = 0
    ) throws {
        self.yard = yard
        let agents = agents ?? options.agents
        let name = number == 0 ? "agents" : "agents-\(number)"
        journal = "\(yard.directory)/journal"
        log = "\(yard.directory)/\(name).log"
        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
        let before = try FileManager.default.contentsOfDirectory(atPath: journal).count
        process = try ChildProcess(
            "\(yard.programs)/drill-agents",
            [
                "run", "--agents", "\(agents)", "--url", "http://127.0.0.1:\(yard.httpPort)",
                keys ? "--keys" : "--no-keys",
                "--rate", "\(rate ?? options.rate)", "--journal", journal, "--seed", "\(options.seed &+ number)",
                "--padding", "\(padding)",
            ],
            name: name,
            log: log,
            output: output
        )
        let process = process
        yard.onRemoval { if process.isRunning { process.crash() } }
        // A journal per agent says that they have begun, and that their signal handler is in place.
        let journal = journal
        let log = log
        try waitUntil("the agents have begun", within: 60) {
            guard process.isRunning else { throw YardFault("the agents ended at once; see \(log)") }
            return try FileManager.default.contentsOfDirectory(atPath: journal).count >= before + agents
        }
    }

    /// Lets every agent finish what it has begun, and returns the summary that they print.
    @discardableResult
    func finish() throws -> String {
        struct Summary: Decodable {
            var longestGapMilliseconds: Int
        }
        process.signal(SIGTERM)
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        let status = process.wait()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard status == 0 else { throw YardFault("the agents ended with status \(status); see \(log)\n\(text)") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        longestGapMilliseconds = try decoder.decode(Summary.self, from: data).longestGapMilliseconds
        return text
    }

    /// Holds the journals of all fleets in the yard against the event ids that PostgreSQL has.
    ///
    /// - Parameters:
    ///   - others: fleets before this one, whose gaps count too.
    ///   - whileSending: agents still send: what they send after their journals are read is not unexpected. What was acknowledged before the
    ///     call must have been committed.
    func count(after others: [AgentFleet] = [], whileSending journalCopy: String? = nil) throws -> DrillReport {
        let ids = "\(yard.directory)/ids"
        try yard.query("\\copy (SELECT trace_id FROM apirequests) TO '\(ids)'")
        // The status says no more than the verdict.
        let verdict = try capture(
            "/bin/sh",
            [
                "-c", "\"$0\" count $2 --journal \"$1\" < \"$3\" || [ $? = 1 ]",
                "\(yard.programs)/drill-agents", journalCopy ?? journal, journalCopy == nil ? "" : "--still-sending",
                ids,
            ]
        )
        return try DrillReport(
            verdict: Data(verdict.utf8),
            longestGapMilliseconds: (others + [self]).map(\.longestGapMilliseconds).max() ?? 0
        )
    }

    /// Events by the journals as they are now.
    func totals() throws -> (sent: Int, acknowledged: Int) {
        let sums = try capture(
            "/bin/sh",
            ["-c", "cat \"$0\"/* | awk '{ n[$1] += $3 } END { print n[\"s\"] + 0, n[\"a\"] + 0 }'", journal]
        ).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard sums.count == 2 else { throw YardFault("the journals in \(journal) can't be summed up") }
        return (sums[0], sums[1])
    }

    /// A copy of the journals as they are now.
    func copyJournal() throws -> String {
        let copy = "\(journal).copy"
        try capture("rm", ["-rf", copy])
        try capture("cp", ["-a", journal, copy])
        return copy
    }
}
