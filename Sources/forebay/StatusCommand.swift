import ArgumentParser
import AsyncHTTPClient
import ForebayRuntime
import FoundationEssentials
import Glibc
import NIOCore
import NIOHTTP1
import OpsServer

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how a running proxy does: its health, lanes, rates and what is in its way.",
        discussion: """
            Asks the ops port that the configuration names, or --url.

            Exit codes: 0 ready; 1 it runs but is degraded (ingest refuses, no primary, or events unaccounted for); \
            2 not reachable; 64 wrong usage; 78 faults in the configuration.

            Examples:
              forebay status
              forebay status --watch
              forebay status --url http://127.0.0.1:8480 --json
            """
    )

    @Option(name: .shortAndLong, help: "Configuration file. Default: forebay.yaml, then /etc/forebay/forebay.yaml.")
    var config: String?

    @Option(help: "The proxy's ops port, instead of the configuration's.")
    var url: String?

    @Flag(help: "Print the proxy's own JSON.")
    var json = false

    @Flag(help: "Show it anew every two seconds, until interrupted.")
    var watch = false

    func run() async throws {
        let address = try address()
        var before: StatusSnapshot?
        while true {
            let code: ExitCode
            do {
                let (text, status) = try await ask(address)
                if watch, !json { print("\u{1B}[H\u{1B}[2J", terminator: "") }
                print(json ? text : StatusTable(status, before: before).text, terminator: "")
                before = status
                code = status.isReady ? .success : ExitCode(1)
            } catch {
                printError("No answer from \(address): \(reason(of: error))")
                printError("Is the proxy running (forebay serve), and is its ops port there? Name another with --url.")
                code = ExitCode(2)
            }
            guard watch else { throw code }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func address() throws -> String {
        if let url {
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                throw ValidationError("--url must begin with http:// or https://")
            }
            return url.hasSuffix("/") ? String(url.dropLast()) : url
        }
        do {
            let loaded = try ForebayConfiguration.load(path: config, environment: ProcessInfo.processInfo.environment)
            var listen = loaded.configuration.ops.listen
            // Every address of this machine is also this one.
            if listen.host == "0.0.0.0" { listen.host = "127.0.0.1" }
            if listen.host == "::" { listen.host = "::1" }
            return "http://\(listen)"
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }

    private func ask(_ address: String) async throws -> (text: String, status: StatusSnapshot) {
        let request = HTTPClientRequest(url: "\(address)/v1/status")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        let body = try await response.body.collect(upTo: 16 << 20)
        guard response.status.code == 200 else { throw StatusFault("it answered with status \(response.status.code)") }
        do {
            return (
                String(buffer: body), try StatusCoding.decode(StatusSnapshot.self, from: Data(body.readableBytesView))
            )
        } catch {
            throw StatusFault("what answers there is no Forebay of this version")
        }
    }

    private func reason(of error: any Error) -> String {
        if let fault = error as? StatusFault { return fault.reason }
        if let fault = error as? IOError { return String(cString: strerror(fault.errnoCode)) }
        switch error as? HTTPClientError {
        case .connectTimeout, .deadlineExceeded: return "it took too long"
        case .invalidURL, .emptyHost: return "that is no address"
        default: return "\(error)"
        }
    }
}

private struct StatusFault: Error {
    var reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

extension StatusSnapshot {
    var isReady: Bool { health.troubles.isEmpty && conservation.difference == 0 }
}
