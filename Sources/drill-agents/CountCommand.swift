import AgentKit
import ArgumentParser
import FoundationEssentials
import Glibc

struct CountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count",
        abstract: "Compare the journals with the trace ids on standard input, one in a line.",
        discussion: """
            Exit codes: 0 nothing was lost, doubled under a key, or came from nowhere; 1 otherwise.

            Example:
              psql -qAtc "select trace_id from apirequests" | drill-agents count --journal /tmp/drill
            """
    )

    @Option(help: "Directory of the journals.")
    var journal: String

    @Flag(
        inversion: .prefixedNo,
        help: "Whether an event may not stand there twice. Without it: as the journals say how it was sent."
    )
    var keys: Bool?

    @Flag(help: "The agents go on: leave aside what they sent after these journals were written.")
    var stillSending = false

    func run() async throws {
        var count = DrillCount(records: try records(), stillSending: stillSending)
        while let line = readLine() {
            count.arrived(line)
        }
        let verdict = count.verdict
        try printJSON(verdict)
        if !verdict.passes { throw ExitCode(1) }
    }

    private func records() throws -> [DrillRecord] {
        let names = try FileManager.default.contentsOfDirectory(atPath: journal).filter { $0.hasSuffix(".journal") }
        guard !names.isEmpty else { throw ValidationError("there are no journals in \(journal)") }
        return try names.sorted().map { name in
            let data = try Data(contentsOf: URL(filePath: "\(journal)/\(name)"))
            do {
                var record = try DrillRecord(journal: String(decoding: data, as: UTF8.self))
                record.keys = keys ?? record.keys
                return record
            } catch {
                throw ValidationError("\(name) is no journal: \(error)")
            }
        }
    }
}
