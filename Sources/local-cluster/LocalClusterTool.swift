import ArgumentParser

@main
struct LocalClusterTool: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "local-cluster")
}
