import ArgumentParser
import ForebayRuntime
import Foundation
import LibPQClient

/// `forebay init`: everything that the proxy needs in the database.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the roles, the schema forebay, the stream tables and their partitions; can be run again at any time.",
        discussion: """
            Connects as an administrator through libpq's own environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE) and gives
            the two roles the passwords of the configured password files.

            EXAMPLES
              PGHOST=127.0.0.1 PGUSER=postgres PGDATABASE=apm forebay init
              forebay init --dry-run                  only say what would be done
            """
    )

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Flag(help: "Say what would be done, and change nothing.")
    var dryRun = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let configuration: ForebayConfiguration
        do throws(ConfigurationFaults) {
            configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
        let postgres = configuration.postgres
        var setup = DatabaseSetup(
            writer: DatabaseRole(name: postgres.writer.user, password: try postgres.writer.resolvePassword()?.reveal()),
            reader: DatabaseRole(name: postgres.reader.user, password: try postgres.reader.resolvePassword()?.reveal()),
            tables: configuration.streams.map(\.table)
        )
        setup.dryRun = dryRun
        do {
            let connection = try PostgresConnection(
                to: nil,
                settings: ConnectionSettings(database: environment["PGDATABASE"] ?? postgres.database, applicationName: "forebay/init"),
                deadline: .after(.seconds(10))
            )
            try setup.run(on: connection) { print($0) }
        } catch {
            printError("init: \(error)")
            throw ExitCode.failure
        }
    }
}
