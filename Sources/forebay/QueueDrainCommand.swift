import ArgumentParser
import ForebayRuntime
import Foundation
import Logging

/// `forebay queue drain`
struct QueueDrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Deliver everything in the queue, take nothing in, and end.",
        discussion: """
            For a proxy, or a disk, that is to go away. Stop the proxy first. A lane is empty when PostgreSQL and all required replicas show \
            all of it.

            Exit codes: 0 nothing is left, the directory can be removed; 1 rows are left; 3 only dead letters are left; 64 wrong usage; \
            78 faults in the configuration.

            Examples:
              forebay queue drain
              forebay queue drain --timeout 600
            """
    )

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Option(help: "Seconds after which it gives up. Default: it does not.")
    var timeout: Int?

    func validate() throws {
        if let timeout, timeout < 0 { throw ValidationError("--timeout must not be negative") }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let loaded: LoadedConfiguration
        do throws(ConfigurationFaults) {
            loaded = try ForebayConfiguration.load(path: config, environment: environment, checkingFiles: true)
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
        loaded.configuration.startLogging()
        var log = Logger(label: "forebay")
        log.logLevel = loaded.configuration.logLevel
        let rest: Proxy.Rest
        do {
            rest = try await Proxy.drain(
                loaded.configuration,
                environment: environment,
                log: log,
                within: timeout.map { .seconds($0) }
            )
        } catch {
            printError("queue drain: \(error)")
            throw ExitCode.failure
        }
        for reason in rest.reasons { printError(reason) }
        guard rest.reasons.isEmpty else { throw ExitCode.failure }
        guard rest.letters == 0 else {
            printError(
                "all rows are delivered; \(rest.letters) dead letters are pending: forebay dlq ls, then retry or discard them"
            )
            throw ExitCode(3)
        }
        print("nothing is left in \(loaded.configuration.queue.path)")
    }
}
