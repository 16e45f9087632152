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

    func run() async throws {
        var count = DrillCount(records: try records())
        while let line = readLine() {
            count.arrived(line)
        }
        let verdict = count.verdict
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(verdict), as: UTF8.self))
        if !verdict.passes { throw ExitCode(1) }
    }

    private func records() throws -> [DrillRecord] {
        let names = try FileManager.default.contentsOfDirectory(atPath: journal).filter { $0.hasSuffix(".journal") }
        guard !names.isEmpty else { throw ValidationError("there are no journals in \(journal)") }
        return try names.sorted().map { name in
            let data = try Data(contentsOf: URL(filePath: "\(journal)/\(name)"))
            do {
                return try DrillRecord(journal: String(decoding: data, as: UTF8.self))
            } catch {
                throw ValidationError("\(name) is no journal: \(error)")
            }
        }
    }
}
