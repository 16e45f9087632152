import ArgumentParser
import Foundation
import Glibc
import ProvingGround
import Synchronization

/// Every drill after which nothing may be lost or doubled, one after another, and a table of what they came to.
struct All: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Every drill of faults around the cluster and the disk, one after another, with a table at the end.",
        discussion: drills.map { "  " + $0.joined(separator: " ") }.joined(separator: "\n")
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "Only drills whose name begins so.")
    var only = ""

    private static let drills = [
        ["baseline"],
        ["proxy-kill", "--rounds", "30"],
        ["primary-kill-promote", "--rounds", "5"],
        ["primary-hang"],
        ["two-writers"],
        ["switchover"],
        ["replica-kill"],
        ["link-cut"],
        ["restore"],
        ["restore", "--by-itself"],
        ["disk-full"],
        ["fsync-error"],
        ["poison"],
        ["both-crash"],
        ["adopt"],
        ["corrupt-block"],
        ["replica-kill-under-read"],
        ["replica-kill-under-read", "--hang"],
        ["replica-lag"],
        ["promote-under-read"],
        ["all-replicas-gone"],
    ]

    /// The drill that runs now.
    private static let running = Mutex<pid_t?>(nil)

    /// What one of them came to.
    private struct Outcome {
        var name: String
        var status: Int32
        var seconds: Int
        var report: DrillReport?
    }

    func run() throws {
        Interruption.also {
            if let drill = Self.running.withLock({ $0 }) { kill(drill, SIGTERM) }
        }
        let outcomes = try Self.drills.filter { $0[0].hasPrefix(only) }.map(carryOut)
        print(Self.table(outcomes))
        let failed = outcomes.filter { $0.status != 0 && $0.status != DrillOptions.unavailable.rawValue }
        guard failed.isEmpty else {
            say("FAILED: \(failed.map(\.name).joined(separator: ", "))")
            throw ExitCode.failure
        }
    }

    private func carryOut(_ arguments: [String]) throws -> Outcome {
        let file = "/var/tmp/forebay-drill-\(getpid())-report.json"
        defer { unlink(file) }
        let begun = ContinuousClock.now
        let process = Process()
        process.executableURL = URL(filePath: "\(options.programs)/drill")
        process.arguments =
            arguments + [
                "--programs", options.programs, "--agents", "\(options.agents)", "--rate", "\(options.rate)",
                "--seed", "\(options.seed)", "--report", file,
            ] + (options.keep ? ["--keep"] : [])
        process.standardInput = FileHandle.nullDevice
        try process.run()
        Self.running.withLock { $0 = process.processIdentifier }
        process.waitUntilExit()
        Self.running.withLock { $0 = nil }
        return Outcome(
            name: arguments.joined(separator: " "),
            status: process.terminationStatus,
            seconds: Int((ContinuousClock.now - begun) / .seconds(1)),
            report: (try? Data(contentsOf: URL(filePath: file))).flatMap {
                try? JSONDecoder().decode(DrillReport.self, from: $0)
            }
        )
    }

    private static func table(_ outcomes: [Outcome]) -> String {
        var rows = [
            [
                "drill", "sent", "acknowledged", "in PostgreSQL", "lost", "doubled", "longest gap",
                "promotion to first commit", "took", "outcome",
            ]
        ]
        for outcome in outcomes {
            let figures = outcome.report.map { report in
                [report.sent, report.acknowledged, report.arrived, report.lost, report.doubled].map(String.init) + [
                    "\(report.longestGapMilliseconds) ms",
                    report.takeoversMilliseconds.isEmpty
                        ? "" : summary(of: report.takeoversMilliseconds.map { .milliseconds($0) }),
                ]
            }
            let verdict =
                switch outcome.status {
                case 0: "passed"
                case DrillOptions.unavailable.rawValue: "not possible here"
                default: "FAILED"
                }
            rows.append(
                [outcome.name] + (figures ?? Array(repeating: "", count: 7)) + ["\(outcome.seconds) s", verdict]
            )
        }
        let widths = rows[0].indices.map { column in rows.map(\.[column].count).max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}
