import Delivery
import LibPQClient
import LocalPostgres
import Records
import Topology

/// The cluster that the suites share, with the schema of `deploy/sql`: one primary without fsync, made by the first test that asks.
enum TestDatabase {
    static let writer = DatabaseRole(name: "apm_writer", password: "writer's secret")
    static let reader = DatabaseRole(name: "apm_reader", password: "reader's secret")
    static let database = "apm"

    private static let shared: Result<LocalCluster, any Error> = Result {
        let cluster = try LocalCluster.temporary(ClusterPlan(fsync: false))
        try cluster.primary.execute("CREATE DATABASE \(database)")
        let administrator = try connect(to: cluster.primary, as: nil, password: cluster.superuserPassword)
        try DatabaseSetup(writer: writer, reader: reader, tables: [TableName(schema: "public", name: "apirequests")])
            .run(on: administrator)
        return cluster
    }

    static var cluster: LocalCluster {
        get throws { try shared.get() }
    }

    static func address(_ node: LocalNode) -> NodeAddress {
        NodeAddress(host: LocalNode.host, port: node.port)
    }

    static var writerSettings: ConnectionSettings {
        ConnectionSettings(
            database: database,
            user: writer.name,
            password: writer.password.map { .fixed($0) },
            applicationName: "forebay"
        )
    }

    /// Connects to a node; as the superuser if no role is given.
    static func connect(
        to node: LocalNode,
        as role: DatabaseRole?,
        password: String? = nil
    ) throws -> PostgresConnection {
        let settings = ConnectionSettings(
            database: database,
            user: role?.name ?? LocalCluster.superuser,
            password: (role?.password ?? password).map { .fixed($0) },
            applicationName: "forebay-tests"
        )
        return try PostgresConnection(to: address(node), settings: settings, deadline: .after(.seconds(10)))
    }

    static func administrator() throws -> PostgresConnection {
        let cluster = try cluster
        return try connect(to: cluster.primary, as: nil, password: cluster.superuserPassword)
    }
}

/// A directory that was told which node is the primary.
struct NamedPrimary: PrimaryDirectory {
    let choice: PrimaryChoice

    func lookAgain() {}

    /// Asks the node for its identity, if it can be asked.
    init(_ node: NodeAddress) {
        let state = try? ReplicaProbe(node: node, settings: TestDatabase.writerSettings).observe(queues: []).state.get()
        choice = .primary(node, systemIdentifier: state?.systemIdentifier ?? 0, timeline: state?.timeline ?? 0)
    }
}
