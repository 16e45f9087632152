// Method: a real cluster behind relays, the real proxy, and an agent that never stops. One node at a time is brought into a state that keeps it from doing its
// part. Whatever the state, acknowledgements come within a bound, lanes whose primary is well are delivered, and `status`, as JSON and as a table, and `check` call the node and
// its state by one word that is no other state's. In the end every acknowledged event is there once.

import Foundation
import Glibc
import LocalPostgres
import PostgresWire
import ProvingGround
import Testing

@Suite(.serialized)
final class NodeStateTests {
    enum State: String, CaseIterable {
        case down, hung, refusing, slow
        case wrongPassword = "wrong password"
        case wrongCluster = "wrong cluster"
        case tooManyConnections = "too many connections"
    }

    /// To an acknowledgement, on a machine that may be busy with other things.
    private static let bound = Duration.seconds(2)

    @Test
    func everyStateIsNamedAndStopsNothing() throws {
        let place = try Place()
        defer { place.remove() }
        let agent = SteadyAgent(place.yard)
        for isPrimary in [false, true] {
            for state in State.allCases {
                try go(through: state, isPrimary: isPrimary, place, agent)
            }
        }
        try agent.stop()
        try place.yard.waitForDrain(within: 60)
        #expect(agent.refused.isEmpty)
        let found = try SteadyAgent.rows(in: place.yard)
        let count = agent.acknowledged.count
        #expect(count > 500)
        #expect(found == "\(count)|\(count)")
        #expect(try place.yard.status()?.conservation.difference == 0)
    }

    private func go(through state: State, isPrimary: Bool, _ place: Place, _ agent: SteadyAgent) throws {
        let subject: Comment = "\(isPrimary ? "primary" : "replica"), \(state.rawValue)"
        let (node, relay) = isPrimary ? (place.yard.primary, place.primary) : (place.replica, place.relay)
        _ = agent.takeLongest()
        let heal = try place.bring(node, behind: relay, into: state)
        do {
            try waitUntil("status calls the \(subject)", within: 15) {
                guard let node = try place.yard.status()?.node(at: relay.address) else { return false }
                return state == .slow ? node.isSlow : node.state == state.rawValue
            }
            let row = place.statusTable().split(separator: "\n").first { $0.hasPrefix(relay.address) }
            #expect(row?.contains(state.rawValue) == true, subject)
            #expect(State.allCases.count { row?.contains($0.rawValue) == true } == 1, subject)
            let findings = try place.check(patience: state == .slow ? "5s" : "1s").filter {
                $0.subject == "node \(relay.address)"
            }
            #expect(findings.contains { $0.finding.hasPrefix(state.rawValue + ":") && $0.level != "ok" }, subject)
            if !isPrimary || state == .slow { try expectDelivery(place, subject) }
        } catch {
            Issue.record(error, subject)
        }
        try heal()
        try waitUntil("the \(subject), is well again", within: 30) {
            guard let node = try place.yard.status()?.node(at: relay.address) else { return false }
            return node.state == (isPrimary ? "primary" : "replica") && !node.isSlow
        }
        try expectDelivery(place, subject)
        #expect(agent.takeLongest() < Self.bound, subject)
    }

    /// What every lane holds now gets to the primary.
    private func expectDelivery(_ place: Place, _ subject: Comment) throws {
        guard let before = try place.yard.status()?.lanes else { throw YardFault("no status") }
        try waitUntil("every lane is delivered, \(subject)", within: 20) {
            guard let lanes = try place.yard.status()?.lanes else { return false }
            return before.allSatisfy { lane in
                lanes.contains { $0.name == lane.name && $0.committed >= lane.durable }
            }
        }
    }
}

/// The clusters, the proxy, and the ways into each state and out of it.
private final class Place {
    let yard: Yard
    let primary: NodeRelay
    /// In front of `replica`.
    let relay: NodeRelay
    /// Another cluster, which lets the writer in.
    private let foreign: LocalCluster
    private let writerPassword: String

    init() throws {
        var plan = Yard.Plan(replicas: 2)
        plan.postgres["max_connections"] = "40"
        yard = try Yard(plan, programs: try #require(DrillTests.programs).path())
        foreign = try LocalCluster.temporary(ClusterPlan(fsync: false))
        writerPassword = try String(contentsOfFile: "\(yard.directory)/writer", encoding: .utf8)
        try foreign.primary.execute("CREATE ROLE apm_writer LOGIN PASSWORD '\(writerPassword)'")
        try foreign.primary.execute("CREATE DATABASE apm")
        primary = try NodeRelay(to: yard.primary.port)
        relay = try NodeRelay(to: yard.cluster.nodes[1].port)
        try yard.useNodes([primary.address, relay.address, yard.cluster.nodes[2].address])
        try yard.startProxy()
        try yard.waitForStreams()
        try yard.cluster.waitForReplicas()
    }

    var replica: LocalNode { yard.cluster.nodes[1] }

    func remove() {
        primary.close()
        relay.close()
        try? yard.remove()
        try? foreign.remove()
    }

    // MARK: States

    /// Returns the way back.
    func bring(_ node: LocalNode, behind relay: NodeRelay, into state: NodeStateTests.State) throws -> () throws -> Void
    {
        switch state {
        case .down:
            // A closed port instead of a relay to nowhere.
            relay.close()
            try node.kill()
            return {
                try node.start()
                try relay.listen()
            }
        case .hung:
            node.pause()
            return { node.resume() }
        case .refusing: return try shutDownSlowly(node)
        case .slow:
            relay.slow(by: .milliseconds(300))
            return { relay.slow(by: .zero) }
        case .wrongPassword: return try refusePassword(node, behind: relay)
        case .wrongCluster:
            relay.lead(to: foreign.primary.port)
            return { relay.lead(to: node.port) }
        case .tooManyConnections: return try takeAllConnections(of: node)
        }
    }

    /// A smart shutdown lasts as long as somebody is connected, and meanwhile nobody is let in.
    private func shutDownSlowly(_ node: LocalNode) throws -> () throws -> Void {
        let last = try superuser(of: node)
        kill(try #require(node.process), SIGTERM)
        try end(last)
        return {
            withExtendedLifetime(last) {}
            try node.stop(.fast)
            try node.start()
        }
    }

    /// The roles of a replica are its primary's, so a replica with another password is one that was named by mistake.
    private func refusePassword(_ node: LocalNode, behind relay: NodeRelay) throws -> () throws -> Void {
        let isPrimary = node === yard.primary
        let place = isPrimary ? node : foreign.primary
        try place.execute("ALTER ROLE apm_writer PASSWORD 'another'")
        if isPrimary {
            try end(try superuser(of: node))
        } else {
            relay.lead(to: foreign.primary.port)
        }
        return { [writerPassword] in
            try place.execute("ALTER ROLE apm_writer PASSWORD '\(writerPassword)'")
            if !isPrimary { relay.lead(to: node.port) }
        }
    }

    private func takeAllConnections(of node: LocalNode) throws -> () throws -> Void {
        let first = try superuser(of: node)
        let held = Held()
        func takeWhatIsFree() throws {
            while true {
                do {
                    held.clients.append(try superuser(of: node))
                } catch let report as Report where report.code == "53300" {
                    return
                }
            }
        }
        repeat {
            try takeWhatIsFree()
            try end(first)
            try takeWhatIsFree()
        } while try first.query("SELECT FROM pg_stat_activity WHERE usename LIKE 'apm%'").count > 0
        held.clients.append(first)
        return { held.clients = [] }
    }

    private final class Held {
        var clients: [WireClient] = []
    }

    private func superuser(of node: LocalNode) throws -> WireClient {
        let client = try WireClient(port: node.port)
        try client.login(
            user: LocalCluster.superuser,
            password: yard.cluster.superuserPassword,
            database: "postgres"
        )
        return client
    }

    /// Ends all connections of the proxy's.
    private func end(_ client: WireClient) throws {
        _ = try client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'apm%'")
    }

    // MARK: What is said

    struct Finding: Decodable {
        var level: String
        var subject: String
        var finding: String
    }

    func check(patience: String) throws -> [Finding] {
        try run(["check", "--json"], environment: ["FOREBAY_POSTGRES_CONNECT_TIMEOUT": patience])
            .split(separator: "\n").map { try JSONDecoder().decode(Finding.self, from: Data($0.utf8)) }
    }

    func statusTable() -> String {
        (try? run(["status"])) ?? ""
    }

    /// What the program prints; its exit status says that something is wrong, which is as it should be.
    private func run(_ arguments: [String], environment: [String: String] = [:]) throws -> String {
        let output = Pipe()
        let process = Process()
        process.executableURL = URL(filePath: "\(yard.programs)/forebay")
        process.arguments = arguments + ["--config", yard.configuration]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
