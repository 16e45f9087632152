package import DatabaseSchema
package import Records
package import Topology

/// Looks at everything that Forebay needs of PostgreSQL, with the rights that Forebay has, and says what is wrong and how to mend it.
/// Changes nothing.
package struct ClusterCheck {
    package var nodes: [NodeAddress]
    package var writer: ConnectionSettings
    package var reader: ConnectionSettings
    package var streams: [Stream]
    package var migrations: [Migration]
    /// A replica that is further behind than this gets a warning.
    package var maxLag: Duration
    /// Connections that the read port may hold to each node; nil where there is no read port.
    package var readPool: Int?
    /// The system identifier that the proxy remembers; nil leaves it to most of the nodes.
    package var remembered: UInt64?
    /// For each node, and for each question to it.
    package var timeout: Duration

    package struct Stream: Hashable, Sendable {
        package var name: String
        package var table: TableName

        package init(name: String, table: TableName) {
            self.name = name
            self.table = table
        }
    }

    package init(
        nodes: [NodeAddress],
        writer: ConnectionSettings,
        reader: ConnectionSettings,
        streams: [Stream],
        migrations: [Migration] = Migration.all,
        maxLag: Duration = .seconds(10),
        readPool: Int? = nil,
        remembered: UInt64? = nil,
        timeout: Duration = .seconds(5)
    ) {
        self.nodes = nodes
        self.writer = writer
        self.reader = reader
        self.streams = streams
        self.migrations = migrations
        self.maxLag = maxLag
        self.readPool = readPool
        self.remembered = remembered
        self.timeout = timeout
    }

    /// Checks everything, in the order in which it depends on each other. Blocks, at most for some timeouts per node.
    package func run() -> [CheckLine] {
        let observations = nodes.map { ReplicaProbe(node: $0, settings: writer, timeout: timeout).observe(queues: []) }
        let expected = remembered ?? Self.prevalent(observations)
        var lines = observations.flatMap { nodeLines($0, expected) } + clusterLines(observations, expected)
        lines += nodes.compactMap(readerLine)
        guard let primary = primaries(observations, of: expected).first else { return lines }
        do {
            let connection = try PostgresConnection(to: primary.node, settings: writer, deadline: .after(timeout))
            lines += try DatabaseCheck(check: self, connection: connection, observations: observations).run()
        } catch {
            lines.append(CheckLine(.fail, "primary \(primary.node)", "\(error)", remedy: "see the lines above"))
        }
        return lines
    }

    // MARK: Nodes

    /// The system identifier of more nodes than any other; nil if there is none.
    private static func prevalent(_ observations: [NodeObservation]) -> UInt64? {
        let identifiers = observations.compactMap { (try? $0.state.get())?.systemIdentifier }
        let counts = Dictionary(identifiers.map { ($0, 1) }, uniquingKeysWith: +)
        guard let most = counts.values.max() else { return nil }
        let first = counts.filter { $0.value == most }
        return first.count == 1 ? first.keys.first : nil
    }

    private func nodeLines(_ observation: NodeObservation, _ expected: UInt64?) -> [CheckLine] {
        let subject = "node \(observation.node)"
        let state: NodeState
        switch observation.state {
        case .success(let found): state = found
        case .failure(let fault):
            let finding = "\(fault.kind.rawValue): \(fault)"
            return [CheckLine(.fail, subject, finding, remedy: Self.remedy(for: fault, user: writer.user))]
        }
        if let expected, state.systemIdentifier != expected {
            let finding = "wrong cluster: its system identifier is \(state.systemIdentifier), expected \(expected)"
            return [
                CheckLine(
                    .fail,
                    subject,
                    finding,
                    remedy:
                        "correct postgres.nodes; if the whole cluster was made anew: forebay lanes resume --replay or --skip"
                )
            ]
        }
        var lines: [CheckLine] = []
        let version = "PostgreSQL \(state.version / 10000).\(state.version % 10000)"
        if state.version < 140_000 {
            lines.append(CheckLine(.fail, subject, "\(version) is too old", remedy: "use PostgreSQL 14 or later"))
        }
        let timeline = state.timeline.map { ", timeline \($0)" } ?? ""
        if state.isInRecovery {
            lines.append(replicaLine(state, subject, "\(version), replica\(timeline), replayed \(state.position)"))
        } else {
            lines.append(CheckLine(.ok, subject, "\(version), primary\(timeline), written \(state.position)"))
        }
        if state.isSlow {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "slow: its answer took \(state.answerTime.milliseconds) ms",
                    remedy: "see whether the node is overloaded, or the network on the way there"
                )
            )
        }
        let offset = state.clockOffset.milliseconds
        if abs(offset) > 1000 {
            lines.append(
                CheckLine(
                    .warn,
                    subject,
                    "its clock is \(abs(offset)) ms \(offset > 0 ? "ahead of" : "behind") this machine's",
                    remedy: "let NTP set both clocks: lag, partitions and retention are reckoned by them"
                )
            )
        }
        return lines
    }

    private func replicaLine(_ state: NodeState, _ subject: String, _ description: String) -> CheckLine {
        if !state.isReceiving {
            return CheckLine(
                .warn,
                subject,
                "\(description), receives nothing",
                remedy:
                    "see its log: primary_conninfo, its password, its slot, and whether the primary still has the WAL that it needs"
            )
        }
        if let lag = state.replayLag, lag > maxLag {
            return CheckLine(
                .warn,
                subject,
                "\(description), \(lag.milliseconds / 1000) s behind",
                remedy: "see whether long queries hold its replay, or whether its disk or network is too slow"
            )
        }
        return CheckLine(.ok, subject, description)
    }

    private func readerLine(_ node: NodeAddress) -> CheckLine? {
        let subject = "reader on \(node)"
        do {
            let connection = try PostgresConnection(to: node, settings: reader, deadline: .after(timeout))
            let finding = "\(connection.user) can log in to \(connection.database)"
            guard let readPool, let room = try self.room(on: connection), room < readPool else {
                return CheckLine(.ok, subject, finding)
            }
            return CheckLine(
                .warn,
                subject,
                "\(finding), and may have \(room) connections; read.pool_size is \(readPool)",
                remedy: "raise max_connections or the role's CONNECTION LIMIT, or lower read.pool_size"
            )
        } catch {
            let fault = NodeFault(error)
            let finding = "\(fault.kind.rawValue): \(fault)"
            return CheckLine(.fail, subject, finding, remedy: Self.remedy(for: fault, user: reader.user))
        }
    }

    /// How many connections the server and the role allow. Others take from these too.
    private func room(on connection: PostgresConnection) throws(ConnectionFault) -> Int? {
        let row = try connection.query(
            """
            SELECT least(
                pg_catalog.current_setting('max_connections')::int
                    - pg_catalog.current_setting('superuser_reserved_connections')::int,
                nullif(rolconnlimit, -1))
            FROM pg_catalog.pg_roles WHERE rolname = current_user
            """,
            by: .after(timeout)
        ).rows.first
        return row?.integer(0).map { Int($0) }
    }

    // MARK: The cluster

    /// - Parameter expected: of this cluster alone; nil for those of all.
    private func primaries(
        _ observations: [NodeObservation],
        of expected: UInt64?
    ) -> [(node: NodeAddress, state: NodeState)] {
        observations.compactMap { observation in
            guard case .success(let state) = observation.state, !state.isInRecovery,
                state.systemIdentifier == expected ?? state.systemIdentifier
            else { return nil }
            return (observation.node, state)
        }
    }

    private func clusterLines(_ observations: [NodeObservation], _ expected: UInt64?) -> [CheckLine] {
        let states = observations.compactMap { try? $0.state.get() }
        guard !states.isEmpty else { return [] }
        var lines: [CheckLine] = []
        let primaries = primaries(observations, of: expected)
        switch primaries.count {
        case 1: lines.append(CheckLine(.ok, "cluster", "the primary is \(primaries[0].node)"))
        case 0:
            lines.append(
                CheckLine(
                    .fail,
                    "cluster",
                    "no node that answers is a primary",
                    remedy: "start the primary, or promote a replica"
                )
            )
        default:
            let list = primaries.map { "\($0.node) on timeline \($0.state.timeline ?? 0)" }.joined(separator: ", ")
            lines.append(
                CheckLine(
                    .fail,
                    "cluster",
                    "\(primaries.count) nodes take writes: \(list)",
                    remedy: "stop the ones that should be replicas, rewind them (pg_rewind) and start them as replicas"
                )
            )
        }
        let identifiers = Set(states.map(\.systemIdentifier))
        if identifiers.count > 1 {
            let list = identifiers.sorted().map { String($0) }.joined(separator: ", ")
            lines.append(
                CheckLine(
                    .fail,
                    "cluster",
                    "the nodes are of different clusters (system identifiers \(list))",
                    remedy: "name the nodes of one cluster in postgres.nodes"
                )
            )
        }
        return lines
    }

    private static func remedy(for fault: NodeFault, user: String?) -> String? {
        let role = user ?? "the role"
        switch fault.kind {
        case .wrongPassword:
            return "run `forebay init` to give \(role) the password of its file, or put the right one into the file"
        case .notAllowed:
            return fault.text.contains("no pg_hba.conf entry")
                ? "let \(role) in from this machine: pg_hba.conf on the node, then pg_reload_conf()"
                : "run `forebay init`"
        case .down: return "start the node, or correct postgres.nodes; see listen_addresses and the firewall"
        case .hung:
            return
                "see whether the node is frozen or overloaded, or whether a firewall drops packets; correct postgres.nodes"
        case .refusing: return "wait until it has started; if it stays so, see its log"
        case .tooManyConnections: return "raise max_connections, or find who holds them"
        case .broken: return "see the node's log"
        case .stopping, .other: return nil
        }
    }
}
