import ArgumentParser
import ForebayRuntime
import Foundation
import Logging

/// `forebay queue adopt`
struct QueueAdoptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Take over the queue directory of a proxy that is dead.",
        discussion: """
            Its lanes, idempotency keys and dead letters become this proxy's, which delivers what had not been delivered, exactly once. Nothing \
            starts on the other directory any more; it can be removed.

            Stop this proxy first, and start it again afterwards: that takes milliseconds, whatever the size of the backlog. The directory has to \
            be on the same file system as this proxy's; copy one from another machine (cp -a), and start nothing on the original. A command \
            that was cut short is given again.

            Examples:
              forebay queue adopt /var/lib/forebay-b/queue
              forebay queue adopt --config /etc/forebay/forebay.yaml /mnt/dead/queue
            """
    )

    @Option(
        name: .shortAndLong,
        help: "This proxy's configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given."
    )
    var config: String?

    @Argument(help: "The queue directory of the dead proxy.")
    var directory: String

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let configuration: ForebayConfiguration
        do throws(ConfigurationFaults) {
            configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
        let log = Logger(label: "forebay.queue") { _ in SwiftLogNoOpLogHandler() }
        do {
            let report = try QueueTakeover(configuration, environment: environment, log: log).run(of: directory)
            print(
                """
                took over \(report.lanes) lanes with \(report.rows) events that are not known to be delivered; \
                \(report.letters) dead letters are pending
                """
            )
        } catch {
            printError("queue adopt: \(error)")
            throw ExitCode.failure
        }
    }
}
