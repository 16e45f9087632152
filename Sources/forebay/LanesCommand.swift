import ArgumentParser
import AsyncHTTPClient
import ForebayRuntime
import Foundation
import NIOCore
import NIOHTTP1
import OpsServer

/// `forebay lanes`: how the lanes get on, and what becomes of those that wait for a decision.
struct LanesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lanes",
        abstract: "List the lanes of a running proxy, and decide about those that are held.",
        discussion: """
            A lane is held when the database went back further than a failover explains (a backup was restored), when it needs events that are no
            longer on disk, or when the cluster is another one. Ingest goes on meanwhile.

            EXAMPLES
              forebay lanes ls                  which lanes are held, and why
              forebay lanes resume --replay     send again what the database lacks
              forebay lanes resume --skip       leave it as the backup has it
            """,
        subcommands: [LanesListCommand.self, LanesResumeCommand.self]
    )
}

/// The ops port of the proxy that is asked.
struct LaneOptions: ParsableArguments {
    @OptionGroup var source: ConfigurationOptions

    @Option(help: "The proxy's ops port, instead of the configuration's.")
    var url: String?

    func validate() throws {
        if let url, !url.hasPrefix("http://"), !url.hasPrefix("https://") {
            throw ValidationError("--url must begin with http:// or https://")
        }
    }

    /// Sends a request to the ops port. Ends the program if nobody answers.
    func ask(_ verb: String, _ path: String, _ body: String? = nil) async throws -> (status: UInt, body: Data) {
        let address = try url ?? "http://\(source.loadIfPresent().ops.listen.reachable)"
        var request = HTTPClientRequest(url: "\(address)\(path)")
        if let body {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
            return (response.status.code, Data(try await response.body.collect(upTo: 16 << 20).readableBytesView))
        } catch {
            printError("lanes \(verb): no answer from \(address): \(error)")
            printError("Is the proxy running (forebay serve), and is its ops port there? Name another with --url.")
            throw ExitCode(2)
        }
    }
}

struct LanesListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List the lanes.",
        discussion: "Exit codes: 0 no lane is held; 1 some are; 2 the proxy is not reachable."
    )

    @OptionGroup var options: LaneOptions

    @Flag(help: "One JSON object per lane.")
    var json = false

    func run() async throws {
        let answer = try await options.ask("ls", "/v1/status")
        guard answer.status == 200, let status = try? StatusCoding.decode(StatusSnapshot.self, from: answer.body) else {
            printError("lanes ls: what answers there is no Forebay of this version")
            throw ExitCode(2)
        }
        for lane in status.lanes {
            if json {
                print(try jsonLine(lane))
                continue
            }
            print(
                "\(lane.queue).\(lane.lane)  \(lane.state)  epoch \(lane.epoch)  durable \(lane.durable)  "
                    + "committed \(lane.committed)  trimmed \(lane.trimmed)  queued \(lane.queued)"
            )
            if let fault = lane.fault { print("    \(fault)") }
        }
        if let obstacle = status.cluster.obstacle, !json { print("no primary: \(obstacle)") }
        if status.lanes.contains(where: { $0.state.hasSuffix("held") }) { throw ExitCode.failure }
    }
}

struct LanesResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let held lanes go on.",
        discussion: """
            --replay sends again what the database lacks, as far as it is on disk; what is not is given up as lost, and stands in the dead-letter
            store with its exact positions. --skip sends nothing of what had been committed before: the database stays as the backup has it, and
            the positions stand in the dead-letter store. Where another cluster, or a primary of the past, answers, it is taken as ours.

            EXAMPLES
              forebay lanes resume --replay
              forebay lanes resume --skip --lane 0d0c9a34-0000-4000-8000-5f0e8c8d1a2b.0
            """
    )

    @OptionGroup var options: LaneOptions

    @Flag(help: "Send again.")
    var replay = false

    @Flag(help: "Do not send again.")
    var skip = false

    @Option(help: "One lane, as ls names it; all that are held if not given.")
    var lane: String?

    func validate() throws {
        guard replay != skip else { throw ValidationError("Say --replay or --skip.") }
    }

    func run() async throws {
        let request = LaneResumption(order: replay ? .replay : .skip, lane: lane)
        let answer = try await options.ask("resume", "/v1/lanes/resume", StatusCoding.encode(request))
        guard answer.status == 200, let report = try? StatusCoding.decode(LaneReport.self, from: answer.body) else {
            struct Problem: Decodable {
                var detail: String?
            }
            let detail = (try? JSONDecoder().decode(Problem.self, from: answer.body))?.detail
            printError("lanes resume: \(detail ?? "status \(answer.status)")")
            throw ExitCode.failure
        }
        print("\(report.lanes) lanes go on")
    }
}
