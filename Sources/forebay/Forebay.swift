import ArgumentParser
import ForebayRuntime

@main
struct Forebay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forebay",
        abstract:
            "A write-ahead ingestion proxy in front of PostgreSQL: acknowledged means on disk, delivered exactly once.",
        version: ForebayVersion.current,
        subcommands: [
            ServeCommand.self, InitCommand.self, CheckCommand.self, StatusCommand.self, SeedCommand.self,
            SendCommand.self,
            QueueCommand.self, DLQCommand.self, LanesCommand.self, TokenCommand.self, BenchCommand.self,
        ]
    )
}
