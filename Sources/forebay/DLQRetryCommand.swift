import ArgumentParser
import AsyncHTTPClient
import DurableQueue
import ForebayRuntime
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import OpsServer
import Records
import SegmentedLog

struct DLQRetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Put dead letters into the queue again, as new events.",
        discussion: """
            Each letter's rows are appended under an idempotency key made of their old position, and the letter is marked then: a crash in
            between doubles nothing. Asks the running proxy; without one, works on the queue directory itself.

            EXAMPLES
              forebay dlq retry 17 18
              forebay dlq retry --stream orders
              forebay dlq retry --all
            """
    )

    @OptionGroup var options: LetterOptions
    @OptionGroup var choice: LetterArguments

    func run() async throws {
        try await LetterRequest(verb: "retry", done: "retried").run(options, choice) { office, letters in
            try office.retry(letters)
        }
    }
}

struct DLQDiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard",
        abstract: "Give dead letters up for good.",
        discussion: """
            Asks the running proxy; without one, works on the queue directory itself.

            EXAMPLES
              forebay dlq discard 17 18
              forebay dlq discard --stream orders
            """
    )

    @OptionGroup var options: LetterOptions
    @OptionGroup var choice: LetterArguments

    func run() async throws {
        try await LetterRequest(verb: "discard", done: "discarded").run(options, choice) { office, letters in
            try office.discard(letters)
        }
    }
}

/// Which letters.
struct LetterArguments: ParsableArguments {
    @Argument(help: "Ids, as ls shows them.")
    var ids: [UInt64] = []

    @Option(help: "All pending letters of this stream.")
    var stream: String?

    @Flag(help: "All pending letters.")
    var all = false

    @Option(help: "The proxy's ops port, instead of the configuration's.")
    var url: String?

    func validate() throws {
        guard (ids.isEmpty ? 0 : 1) + (stream == nil ? 0 : 1) + (all ? 1 : 0) == 1 else {
            throw ValidationError("Name letters by id, or by --stream, or take --all.")
        }
        if let url, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            throw ValidationError("--url must begin with http:// or https://")
        }
    }

    var letters: LetterChoice {
        if let stream { return .stream(stream) }
        return all ? .all : .ids(Set(ids))
    }
}

/// Does what a verb asks, itself or by way of the proxy that has the queue open.
private struct LetterRequest {
    let verb: String
    let done: String

    func run(
        _ options: LetterOptions,
        _ arguments: LetterArguments,
        _ act: (LetterOffice, LetterChoice) throws -> DeadLetterDesk.Report
    ) async throws {
        let configuration = try options.load()
        let reader = try options.reader(configuration)
        // The ids are looked up before anything is done: a slip of the pen in one of them changes nothing.
        var positions: [String] = []
        do {
            for id in arguments.ids {
                guard let record = try reader.letter(id) else {
                    printError("dlq \(verb): there is no letter \(id), or its rows are no longer kept")
                    throw ExitCode.failure
                }
                positions.append("\(record.letter.position)")
            }
        } catch let fault as DeadLetterLogFault {
            printError("dlq \(verb): \(fault)")
            throw ExitCode.failure
        }
        do {
            let report = try LetterOffice.withoutProxy(
                configuration,
                environment: ProcessInfo.processInfo.environment,
                log: Logger(label: "forebay.dlq") { _ in SwiftLogNoOpLogHandler() }
            ) { try act($0, arguments.letters) }
            try say(report)
        } catch let fault as QueueFault {
            guard case .locked = fault else {
                printError("dlq \(verb): \(fault)")
                throw ExitCode.failure
            }
            try await ask(configuration, arguments, positions)
        } catch let fault as DeadLetterLogFault {
            printError("dlq \(verb): \(fault)")
            throw ExitCode.failure
        }
    }

    private func say(_ report: DeadLetterDesk.Report) throws {
        print("\(done) \(report.letters) letters, \(report.events) events")
        guard report.leftCount > 0 else { return }
        for left in report.left { printError("letter \(left.id) at \(left.position) stays pending: \(left.reason)") }
        if report.leftCount > report.left.count { printError("\(report.leftCount) letters stay pending in all") }
        throw ExitCode.failure
    }

    private func ask(
        _ configuration: ForebayConfiguration,
        _ arguments: LetterArguments,
        _ positions: [String]
    ) async throws {
        var listen = configuration.ops.listen
        // Every address of this machine is also this one.
        if listen.host == "0.0.0.0" { listen.host = "127.0.0.1" }
        if listen.host == "::" { listen.host = "::1" }
        let address = arguments.url ?? "http://\(listen)"
        let choice = DeadLetterChoice(
            all: arguments.all ? true : nil,
            stream: arguments.stream,
            positions: positions.isEmpty ? nil : positions
        )
        var request = HTTPClientRequest(url: "\(address)/v1/dlq/\(verb)")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.body = .bytes(ByteBuffer(string: try StatusCoding.encode(choice)))
        let status: UInt
        let body: ByteBuffer
        do {
            // Retrying a large store takes its time; each letter is safe on its own.
            let response = try await HTTPClient.shared.execute(request, timeout: .hours(1))
            status = response.status.code
            body = try await response.body.collect(upTo: 1 << 20)
        } catch {
            printError(
                "dlq \(verb): a proxy has the queue open, and its ops port at \(address) does not answer: \(error)"
            )
            throw ExitCode(2)
        }
        let data = Data(body.readableBytesView)
        guard status == 200, let report = try? StatusCoding.decode(DeadLetterReport.self, from: data) else {
            struct Problem: Decodable {
                var detail: String?
            }
            let detail = (try? JSONDecoder().decode(Problem.self, from: data))?.detail ?? "status \(status)"
            printError("dlq \(verb): \(detail)")
            throw ExitCode.failure
        }
        print("\(done) \(report.letters) letters")
    }
}
