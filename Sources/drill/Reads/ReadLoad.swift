import Foundation
import Glibc
import LocalPostgres
import ProvingGround
import Synchronization

/// pgbench through the read port, one run after another until it is told to stop; what its clients were told, and what its log of transactions says.
final class ReadLoad: Sendable {
    /// Clients of pgbench.
    static let clients = 32
    private static let runSeconds = 5

    private struct State {
        var isOver = false
        var figures = ReadFigures()
        var fault: (any Error)?
    }

    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)
    private let directory: String
    private let environment: [String: String]

    /// Makes pgbench's tables, and begins to read them.
    init(_ yard: Yard) throws {
        directory = yard.directory
        environment = try yard.reader
        try capture("pgbench", ["-i", "-q", "-s", "1"], environment: yard.administrator)
        try yard.query("GRANT SELECT ON ALL TABLES IN SCHEMA public TO apm_reader")
        Thread.detachNewThread { [self] in
            var run = 0
            while !state.withLock({ $0.isOver }) {
                run += 1
                do {
                    try carryOut(run)
                } catch {
                    state.withLock { $0.fault = error }
                    break
                }
            }
            ended.signal()
        }
    }

    /// Ends the load and returns what it came to.
    func finish() throws -> ReadFigures {
        state.withLock { $0.isOver = true }
        ended.wait()
        // For whoever calls it again.
        ended.signal()
        return try state.withLock { state in
            if let fault = state.fault { throw fault }
            return state.figures
        }
    }

    private func carryOut(_ run: Int) throws {
        let log = "\(directory)/pgbench-\(run).log"
        let prefix = "\(directory)/pgbench-\(run)"
        let process = try ChildProcess(
            "/usr/bin/env",
            [
                "pgbench", "-S", "-n", "-M", "simple", "-c", "\(Self.clients)", "-j", "2", "-T", "\(Self.runSeconds)",
                "-l",
                "--log-prefix", prefix,
            ],
            name: "pgbench",
            environment: environment,
            log: log
        )
        let status = process.wait()
        let text = try String(contentsOfFile: log, encoding: .utf8)
        var figures = ReadFigures()
        for line in text.split(separator: "\n") where line.contains("error:") || line.contains("aborted") {
            figures.errors[String(line), default: 0] += 1
        }
        if status != 0, figures.errors.isEmpty { figures.errors["pgbench ended with status \(status)"] = 1 }
        // One file for each thread.
        let files = try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasPrefix("pgbench-\(run).") && $0 != "pgbench-\(run).log" }
        var times: [Int] = []
        for file in files {
            // client, number, microseconds that it took, script, and when it was answered: seconds, microseconds (pgbench's page).
            for line in try String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8).split(separator: "\n") {
                let fields = line.split(separator: " ").map { Int($0) }
                guard fields.count >= 6, let took = fields[2], let seconds = fields[4], let rest = fields[5] else {
                    throw YardFault("pgbench's log has the line \(line)")
                }
                times.append(seconds * 1_000_000 + rest)
                figures.longestWaitMilliseconds = max(figures.longestWaitMilliseconds, took / 1000)
            }
            unlink("\(directory)/\(file)")
        }
        times.sort()
        figures.statements = times.count
        figures.longestGapMilliseconds = zip(times, times.dropFirst()).map { ($1 - $0) / 1000 }.max() ?? 0
        state.withLock { $0.figures.add(figures) }
    }
}

/// What reading came to.
struct ReadFigures: Codable {
    var statements = 0
    /// Whatever a client was told that is no answer, with how often.
    var errors: [String: Int] = [:]
    /// The longest time in which nobody was answered.
    var longestGapMilliseconds = 0
    /// The longest time that a statement took.
    var longestWaitMilliseconds = 0
    /// Of writes that were read back by their receipt.
    var ownWrites = 0
    /// Of these, reads that did not show the write.
    var stale = 0

    mutating func add(_ other: ReadFigures) {
        statements += other.statements
        errors.merge(other.errors) { $0 + $1 }
        longestGapMilliseconds = max(longestGapMilliseconds, other.longestGapMilliseconds)
        longestWaitMilliseconds = max(longestWaitMilliseconds, other.longestWaitMilliseconds)
        ownWrites += other.ownWrites
        stale += other.stale
    }

    var errorCount: Int { errors.values.reduce(0, +) }
    var passes: Bool { errors.isEmpty && stale == 0 && statements + ownWrites > 0 }
}

extension ReadFigures: CustomStringConvertible {
    var description: String {
        var text =
            "read: \(statements) statements, \(errorCount) errors; \(ownWrites) own writes read back, \(stale) stale; "
            + "longest gap \(longestGapMilliseconds) ms, longest statement \(longestWaitMilliseconds) ms"
        for (error, count) in errors.sorted(by: { $0.key < $1.key }).prefix(20) { text += "\n  \(count) × \(error)" }
        return text
    }
}
