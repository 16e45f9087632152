import ArgumentParser
import Foundation
import Glibc
import ProvingGround

/// Many clients of the read port that do nothing: what each costs.
struct IdleReaders: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle-readers",
        abstract: "Ten thousand idle connections to the read port: less than 20 KiB of memory for each."
    )

    @OptionGroup var options: DrillOptions

    @Option(help: "How many.")
    var connections = 10_000

    private static let limit = 20 << 10

    func run() throws {
        // One descriptor here and one in the proxy, which has it from here.
        var files = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        guard files.rlim_max > rlim_t(connections + 1000) else {
            say("not possible here: \(files.rlim_max) files may be open at once")
            throw DrillOptions.unavailable
        }
        files.rlim_cur = files.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        var plan = Exercise.plan(replicas: 1)
        let most = connections + 10
        plan.readExtra = ", max_connections: \(most), max_connections_per_user: \(most)"
        try options.run("idle-readers (\(connections))", plan) { yard, _ in
            try yard.startProxy()
            try yard.waitForStreams()
            try measure(yard)
            return nil
        }
    }

    private func measure(_ yard: Yard) throws {
        guard let proxy = yard.proxy else { preconditionFailure("the proxy was started") }
        var clients = [try yard.readClient()]
        _ = try clients[0].query("SELECT 1")
        let before = proxy.residentBytes
        let begun = ContinuousClock.now
        for _ in 0..<connections {
            let client = try yard.readClient()
            _ = try client.query("SELECT 1")
            clients.append(client)
        }
        let took = ContinuousClock.now - begun
        let each = (proxy.residentBytes - before) / connections
        print(
            "\(connections) idle connections: \(each) bytes each; "
                + "\(Int(Double(connections) / (took / .seconds(1)))) logins with a statement per second"
        )
        guard each < Self.limit else { throw YardFault("\(each) bytes for each connection, not below \(Self.limit)") }
        for index in stride(from: 0, to: clients.count, by: 1 + connections / 100) {
            guard try clients[index].query("SELECT 2") == [["2"]] else {
                throw YardFault("client \(index) is not served")
            }
        }
        clients = []
        try waitUntil("all of them are gone", within: 60) { try yard.metric("forebay_read_clients") == 0 }
    }
}
