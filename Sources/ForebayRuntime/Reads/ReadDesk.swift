import DurableQueue
import Logging
import NIOCore
import NIOPosix
import ReadProxy
import Records
import Synchronization
import Topology

/// The read port beside the rest of the proxy: its loops, and the way from the watch to its routing.
final class ReadDesk: Sendable {
    let port: ReadProxy
    let routes: ReadRoutes
    let users: LiveUsers
    private let loops: MultiThreadedEventLoopGroup

    private init(port: ReadProxy, routes: ReadRoutes, users: LiveUsers, loops: MultiThreadedEventLoopGroup) {
        self.port = port
        self.routes = routes
        self.users = users
        self.loops = loops
    }

    /// nil where the configuration wants no read port.
    static func open(
        _ configuration: ForebayConfiguration,
        watch: ClusterWatch,
        lastWrites: LastWrites?,
        claims: @escaping @Sendable () -> [LaneKey: Int64],
        eventLoops: Int,
        log: Logger
    ) async throws -> ReadDesk? {
        guard !configuration.read.listen.isEmpty else { return nil }
        let users = try LiveUsers(configuration, logger: log)
        if users.current.count == 0 {
            log.warning(
                "nobody may log in to the read port: postgres.reader has no password, and there is no read.users_file"
            )
        }
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: eventLoops)
        for loop in loops.makeIterator() {
            loop.execute { ThreadPace.prompt.adopt() }
        }
        var readWatch = ReadWatch(look: { watch.lookAgain() }, want: { watch.want($0) })
        if let lastWrites {
            readWatch.written = { lastWrites.positions(of: $0) }
        }
        let port = try await ReadProxy.start(
            configuration: configuration.readConfiguration(),
            users: users.current,
            eventLoopGroup: loops,
            instruments: ReadInstruments(nodes: configuration.postgres.nodes.count),
            logger: log,
            watch: readWatch
        )
        users.show { port.admit($0, password: $1) }
        let routes = ReadRoutes(bounds: configuration.readBounds, claims: claims) { port.route($0) }
        watch.show { routes.take($0) }
        log.notice(
            "reads are served",
            metadata: ["postgres": "\(port.addresses.map(\.description).joined(separator: ","))"]
        )
        return ReadDesk(port: port, routes: routes, users: users, loops: loops)
    }

    /// Ends the port. Its loops may go on being told of nodes and users.
    func close(grace: Duration) async {
        await port.shutdown(grace: grace)
    }

    /// To be called when nobody is left who tells them anything.
    func endLoops() async throws {
        try await loops.shutdownGracefully()
    }
}
