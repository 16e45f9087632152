import ArgumentParser
import DurableQueue
import ForebayRuntime
import Foundation
import SegmentedLog

/// `forebay queue repair`
struct QueueRepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Find, and mend, the small files that keep a proxy from starting or delivering.",
        discussion: """
            Damage in segments needs no repair: 'forebay queue verify' names it, and everything else is served. Without --apply nothing is \
            changed; with it nothing is removed: what is replaced is kept in set-aside/. Stop the proxy first.

            Exit codes: 0 nothing is wrong, or everything was mended; 1 something is; 64 wrong usage; 78 faults in the configuration.

            Examples:
              forebay queue repair
              forebay queue repair --apply
            """
    )

    @Option(help: "The queue directory. Default: queue.path of the configuration.")
    var path: String?

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Flag(help: "Mend what can be mended.")
    var apply = false

    func run() async throws {
        let directory = try path ?? configuredPath()
        var isLeft = false
        do {
            let workshop = try QueueWorkshop(path: directory)
            defer { workshop.close() }
            for finding in try workshop.examine() {
                print("\(finding.name): \(finding.reason)")
                switch finding.remedy {
                case .none(let advice):
                    isLeft = true
                    print("  no remedy here: \(advice)")
                case .identity(let id):
                    print(
                        "  \(apply ? "written again" : "would be written again"): queue \(id), whose lane was written last"
                    )
                case .setAside:
                    print("  \(apply ? "moved" : "would be moved") to set-aside/; the next proxy makes it anew")
                }
                if apply { try workshop.apply(finding) } else { isLeft = true }
            }
            if let complaint = QueueWorkshop.renewalComplaint(path: directory) {
                isLeft = true
                print(
                    "\(complaint)\n  no remedy here: bring the file back from a copy; a guess would lose rows or double them"
                )
            }
        } catch {
            printError("queue repair: \(error)")
            throw ExitCode.failure
        }
        if isLeft { throw ExitCode.failure }
        print("in order")
    }

    private func configuredPath() throws -> String {
        do throws(ConfigurationFaults) {
            return try ForebayConfiguration.load(path: config, environment: ProcessInfo.processInfo.environment)
                .configuration.queue.path
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }
}
