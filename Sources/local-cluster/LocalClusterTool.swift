import ArgumentParser
import LocalPostgres

@main
struct LocalClusterTool: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "local-cluster",
        abstract: "A disposable PostgreSQL cluster on 127.0.0.1: one primary, and replicas that stream from it.",
        discussion: """
            Its data, logs and passwords stand in one directory. After `up`, cluster.env there has the variables that psql and \
            forebay need:

              set -a; . .forebay/cluster.env; set +a
              psql
            """,
        subcommands: [Up.self, Down.self, Restart.self, Status.self]
    )
}

struct ClusterOptions: ParsableArguments {
    @Option(help: "Directory of the cluster.")
    var directory = ".forebay"

    func cluster() throws -> PersistentCluster { try PersistentCluster(directory: directory) }
}

extension LocalClusterTool {
    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the cluster, or start it if it is there.",
            discussion: """
                Does nothing if it runs. Ports that are taken are passed over; cluster.env says which ones it got.

                Example:
                  local-cluster up --directory .forebay --port 5432 --replicas 2
                """
        )

        @OptionGroup var options: ClusterOptions

        @Option(help: "Port of the primary; the replicas get the ones after it.")
        var port = 5432

        @Option(help: "Number of replicas, 0 to 8.")
        var replicas = 2

        @Option(help: "Database to make.")
        var database = "apm"

        @Flag(inversion: .prefixedNo, help: "Whether PostgreSQL syncs to the disk.")
        var fsync = true

        func validate() throws {
            guard (1...65535).contains(port) else { throw ValidationError("a port is 1 to 65535, not \(port)") }
            guard (0...8).contains(replicas) else { throw ValidationError("replicas are 0 to 8, not \(replicas)") }
        }

        func run() throws {
            let place = try options.cluster()
            let plan = PersistentCluster.Plan(port: port, replicas: replicas, database: database, fsync: fsync)
            let (cluster, outcome) = try place.up(plan) { print($0) }
            let verb =
                switch outcome {
                case .wasRunning: "is running"
                case .started: "is running again"
                case .made: "is ready"
                }
            print("The cluster \(verb): \(cluster.nodes.map { "\($0.name) \($0.address)" }.joined(separator: ", "))")
            print("Variables: \(place.environmentFile)")
        }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop the cluster.",
            discussion: """
                Its data stays, unless --destroy is given. Does nothing if it does not run.

                Example:
                  local-cluster down --destroy
                """
        )

        @OptionGroup var options: ClusterOptions

        @Flag(help: "Delete all its data too.")
        var destroy = false

        func run() throws {
            let place = try options.cluster()
            if destroy {
                try place.destroy()
                print("The cluster is gone.")
            } else {
                try place.down()
                print("The cluster is stopped; its data stays in \(place.dataDirectory).")
            }
        }
    }

    struct Restart: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Stop every node and start it again.")

        @OptionGroup var options: ClusterOptions

        @Flag(help: "Stop as a crash would, without a checkpoint.")
        var immediate = false

        func run() throws {
            let place = try options.cluster()
            guard let cluster = place.existing() else {
                throw LocalPostgresFault("there is no cluster in \(options.directory); make one: local-cluster up")
            }
            try place.down(immediate ? .immediate : .fast)
            try cluster.start()
            print("The cluster is running again.")
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what runs.",
            discussion: "Exit codes: 0 every node runs; 1 one does not, or there is no cluster."
        )

        @OptionGroup var options: ClusterOptions

        func run() throws {
            guard let cluster = try options.cluster().existing() else {
                print("There is no cluster in \(options.directory).")
                throw ExitCode(1)
            }
            for node in cluster.nodes {
                var state = "stopped"
                if let process = node.process {
                    let role = try? node.execute(
                        "SELECT CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END"
                    )
                    state = "running as \(role ?? "?"), process \(process)"
                }
                print("\(node.name)  \(node.address)  \(state)  \(node.logFile)")
            }
            if cluster.nodes.contains(where: { $0.process == nil }) {
                throw ExitCode(1)
            }
        }
    }
}
