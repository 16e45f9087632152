import ArgumentParser
import ForebayRuntime
import Foundation
import LibPQClient

/// `forebay init`: everything that the proxy needs in the database.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract:
            "Make the roles, the schema forebay, the stream tables and their partitions; can be run again at any time.",
        discussion: """
            Connects as an administrator through libpq's own environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE) and gives
            the two roles the passwords of the configured password files. Makes the database too, if the server does not have it.

            Exit codes: 0; 1 a step did not succeed (those before it stand; run it again); 64 wrong usage;
            78 faults in the configuration.

            EXAMPLES
              PGHOST=127.0.0.1 PGUSER=postgres forebay init
              forebay init --dry-run                  only say what would be done
              forebay init --keep-days 90             also drop the daily partitions that ended 90 days ago
            """
    )

    @Option(name: .shortAndLong, help: "The configuration; forebay.yaml, then /etc/forebay/forebay.yaml if not given.")
    var config: String?

    @Flag(help: "Say what would be done, and change nothing.")
    var dryRun = false

    @Option(help: "Days for which partitions are made ahead, 0 to 366.")
    var partitionsAhead = 7

    @Option(help: "Days after which a daily partition is dropped, with its rows. Without it, none is.")
    var keepDays: Int?

    func validate() throws {
        guard (0...366).contains(partitionsAhead) else {
            throw ValidationError("--partitions-ahead is 0 to 366, not \(partitionsAhead)")
        }
        if let keepDays, !(1...36_500).contains(keepDays) {
            throw ValidationError("--keep-days is 1 to 36500, not \(keepDays)")
        }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let (setup, configured) = try plan(environment)
        let database = environment["PGDATABASE"] ?? configured
        if database != configured {
            printError(
                "warning: PGDATABASE is \(database), but the proxy will use postgres.database, which is \(configured)"
            )
        }
        for role in [setup.writer, setup.reader] where role.password == nil {
            printError("warning: there is no password file for \(role.name); its password is left as it is")
        }
        do throws(SetupFault) {
            let connection = try AdministratorConnection.open(database: database, dryRun: dryRun) { print($0) }
            try setup.run(on: connection) { print($0) }
            print(dryRun ? "nothing was changed" : "\(database) on \(connection.place) is ready")
        } catch {
            printError("init: \(error)")
            throw ExitCode.failure
        }
    }

    /// What the configuration asks for, and the database that it names.
    private func plan(_ environment: [String: String]) throws -> (setup: DatabaseSetup, database: String) {
        do {
            let configuration = try ForebayConfiguration.load(path: config, environment: environment).configuration
            let postgres = configuration.postgres
            let setup = DatabaseSetup(
                writer: DatabaseRole(
                    name: postgres.writer.user,
                    password: try postgres.writer.resolvePassword()?.reveal()
                ),
                reader: DatabaseRole(
                    name: postgres.reader.user,
                    password: try postgres.reader.resolvePassword()?.reveal()
                ),
                tables: configuration.streams.map(\.table),
                partitionsAhead: partitionsAhead,
                retentionDays: keepDays,
                dryRun: dryRun
            )
            return (setup, postgres.database)
        } catch {
            printError("\(error)")
            throw ExitCode(78)
        }
    }
}
