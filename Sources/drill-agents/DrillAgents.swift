import AgentKit
import ArgumentParser
import Glibc

/// Agents for the crash drills, and the count afterwards.
@main
struct DrillAgents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drill-agents",
        abstract: "Agents that send numbered events through crashes, and the count of what arrived.",
        subcommands: [RunCommand.self, CountCommand.self],
        defaultSubcommand: RunCommand.self
    )
}
