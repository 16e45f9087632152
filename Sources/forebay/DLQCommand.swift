import ArgumentParser
import DurableQueue
import ForebayRuntime
import Foundation
import Records
import SegmentedLog

/// `forebay dlq`: rows that could not be delivered.
struct DLQCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Look at, retry or discard events that PostgreSQL refused (dead letters).",
        discussion: """
            A row that a healthy PostgreSQL refuses is set aside here with its reason (poison), and so are the rows of a stream whose
            table fails as a whole (parked). Its neighbours land. Nothing leaves the store but by retry or discard.

            EXAMPLES
              forebay dlq ls                           what is pending
              forebay dlq show 17                      the row as JSON, where it stood and why it was refused
              forebay dlq retry --stream orders        deliver again, after the table was mended
              forebay dlq discard 17 18                give up for good
            """,
        subcommands: [DLQListCommand.self, DLQShowCommand.self, DLQRetryCommand.self, DLQDiscardCommand.self]
    )
}

/// Whose dead letters.
struct LetterOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    func load() throws -> ForebayConfiguration {
        do throws(ConfigurationFaults) {
            return try ForebayConfiguration.load(path: config, environment: ProcessInfo.processInfo.environment)
                .configuration
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }

    /// Reads beside a running proxy, if there is one.
    func reader(_ configuration: ForebayConfiguration) throws -> DeadLetterReader {
        let path = configuration.queue.path
        guard FileManager.default.fileExists(atPath: path) else {
            printError("dlq: there is no queue at \(path)")
            throw ExitCode.failure
        }
        return DeadLetterReader(
            directory: DeadLetterReader.directory(ofQueue: path),
            files: POSIXFileSystem()
        )
    }
}

/// The text of a letter's time: UTC, to the second.
func letterTime(_ microseconds: Int64) -> String {
    Date(timeIntervalSince1970: Double(microseconds) / 1_000_000).formatted(.iso8601)
}

extension LetterRecord {
    /// A word for what became of it.
    var state: String {
        switch verdict {
        case nil: "pending"
        case .retried: "retried"
        case .discarded: "discarded"
        }
    }

    var kind: String {
        switch letter.kind {
        case .poison: "poison"
        case .parked: "parked"
        case .unreadable: "unreadable"
        }
    }
}
