import ArgumentParser
import ForebayRuntime
import Foundation
import Logging

/// `forebay serve`: the proxy itself.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Take events in, keep them on disk, deliver them to PostgreSQL.",
        discussion: """
            Runs until SIGTERM or SIGINT: then answers what was begun, syncs the queue and exits with status 0. What was not
            delivered waits on disk for the next start.

            EXAMPLES
              forebay serve --config /etc/forebay/forebay.yaml
              forebay serve --check-config            only say whether the configuration is in order
              FOREBAY_QUEUE_MAX_BYTES=8GiB forebay serve
            """
    )

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Flag(help: "Check the configuration, say what is wrong with it, and exit.")
    var checkConfig = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let loaded: LoadedConfiguration
        do throws(ConfigurationFaults) {
            loaded = try ForebayConfiguration.load(path: config, environment: environment, checkingFiles: true)
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
        let configuration = loaded.configuration
        if checkConfig {
            for warning in loaded.warnings { print("warning: \(warning)") }
            print("\(loaded.file ?? "the environment"): in order")
            return
        }
        configuration.startLogging()
        var log = Logger(label: "forebay")
        log.logLevel = configuration.logLevel
        for warning in loaded.warnings { log.warning("\(warning)") }
        do {
            try await Proxy.serve(configuration, environment: environment, log: log)
        } catch {
            log.critical("\(error)")
            throw ExitCode.failure
        }
    }
}
