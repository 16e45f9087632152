import ArgumentParser
import ForebayRuntime
import Foundation

/// Where a verb that sends events finds the proxy's ports: a configuration, if there is one.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help:
            "The proxy's configuration, for its addresses; forebay.yaml, then /etc/forebay/forebay.yaml, if they exist."
    )
    var config: String?

    /// The configuration that is named or found; that of an empty file where there is none, since agents need none.
    func loadIfPresent() throws -> ForebayConfiguration {
        let isThere = ForebayConfiguration.searchPath.contains { FileManager.default.fileExists(atPath: $0) }
        guard config != nil || isThere else { return ForebayConfiguration() }
        do throws(ConfigurationFaults) {
            return try ForebayConfiguration.load(path: config, environment: ProcessInfo.processInfo.environment)
                .configuration
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }
}

extension ForebayConfiguration {
    /// The address of the first HTTP listener, for a client on this machine.
    var ingestAddress: NetworkAddress {
        (ingest.http.first ?? NetworkAddress(host: "127.0.0.1", port: 4318)).reachable
    }

    /// The address of the first TCP listener, for a client on this machine.
    var lineAddress: NetworkAddress {
        (ingest.tcp.first ?? NetworkAddress(host: "127.0.0.1", port: 5170)).reachable
    }
}

extension NetworkAddress {
    /// Every address of this machine is also this one.
    var reachable: NetworkAddress {
        switch host {
        case "0.0.0.0": NetworkAddress(host: "127.0.0.1", port: port)
        case "::": NetworkAddress(host: "::1", port: port)
        default: self
        }
    }
}
