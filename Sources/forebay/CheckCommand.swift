import ArgumentParser
import ForebayRuntime
import Foundation
import LibPQClient
import Topology

/// `forebay check`: whether PostgreSQL is as the proxy needs it.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Look at nodes, roles, replication, privileges, ledger and partitions; say what is wrong and how to mend it.",
        discussion: """
            Connects as the configured writer and reader, and changes nothing.

            Exit codes: 0 nothing fails; 1 something does; 64 wrong usage; 78 faults in the configuration.

            EXAMPLES
              forebay check
              forebay check --json | jq 'select(.level != "ok")'
            """
    )

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Flag(help: "One JSON object per line: level (ok, warn, fail), subject, finding, remedy.")
    var json = false

    func run() async throws {
        let lines = try check().run() + readLines()
        for line in lines {
            print(json ? try jsonLine(line) : text(of: line))
        }
        let failures = lines.count { $0.level == .fail }
        if !json {
            let warnings = lines.count { $0.level == .warn }
            print("\(lines.count) checks: \(failures) failed, \(warnings) with a warning")
        }
        if failures > 0 {
            throw ExitCode.failure
        }
    }

    private func text(of line: CheckLine) -> String {
        let level = line.level.rawValue.padding(toLength: 5, withPad: " ", startingAt: 0)
        let remedy = line.remedy.map { "\n        \($0)" } ?? ""
        return "\(level) \(line.subject): \(line.finding)\(remedy)"
    }

    /// What the configuration alone says of the read port.
    private func readLines() throws -> [CheckLine] {
        do {
            let environment = ProcessInfo.processInfo.environment
            let configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
            guard !configuration.read.listen.isEmpty else { return [] }
            let count = try configuration.readUserCount()
            guard count > 0 else {
                return [
                    CheckLine(
                        .warn,
                        "read port",
                        "nobody may log in",
                        remedy: "give postgres.reader a password file, or name users in read.users_file"
                    )
                ]
            }
            let list = configuration.read.listen.map(\.description).joined(separator: ", ")
            return [CheckLine(.ok, "read port", "\(count) users may log in on \(list)")]
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }

    private func check() throws -> ClusterCheck {
        do {
            let environment = ProcessInfo.processInfo.environment
            let configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
            let postgres = configuration.postgres
            return ClusterCheck(
                nodes: postgres.nodes.map { NodeAddress(host: $0.host, port: $0.port) },
                writer: try postgres.connection(as: postgres.writer),
                reader: try postgres.connection(as: postgres.reader),
                streams: configuration.streams.map { ClusterCheck.Stream(name: $0.name, table: $0.table) },
                maxLag: configuration.read.maxLag,
                readPool: configuration.read.listen.isEmpty ? nil : configuration.read.poolSize,
                remembered: configuration.rememberedSystem,
                timeout: postgres.connectTimeout
            )
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }
}

extension ForebayConfiguration.Postgres {
    fileprivate func connection(as role: ForebayConfiguration.Role) throws(ConfigurationFault) -> ConnectionSettings {
        ConnectionSettings(
            database: database,
            user: role.user,
            password: try role.resolvePassword().map { .fixed($0.reveal()) },
            applicationName: "forebay/check",
            sslMode: sslmode.rawValue,
            sslRootCertificate: sslrootcert
        )
    }
}
