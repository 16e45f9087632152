import Glibc
import Instruments
import NIOCore
import NIOPosix
package import PostgresWire

/// A statement that runs as a client of the read port does, over a connection within this process: it is routed, waits, is run again elsewhere and is limited like any
/// other. Rows are taken from the server only as they are asked for here.
///
/// One task asks at a time; ``close()`` may come from any, and has to come.
package struct ReadQuery: Sendable {
    private let channel: NIOLoopBound<QueryChannel>
    private let eventLoop: any EventLoop

    fileprivate init(channel: NIOLoopBound<QueryChannel>, eventLoop: any EventLoop) {
        self.channel = channel
        self.eventLoop = eventLoop
    }

    /// Waits for the first row or the end. None for a statement without a result.
    ///
    /// - Throws: the report of what went wrong before a row came.
    package func columns() async throws(Report) -> [BackendMessage.Column] {
        try await take { $0.nextColumns() }
    }

    /// Not to be called again after the end.
    ///
    /// - Throws: the report of what went wrong since.
    package func rows() async throws(Report) -> ReadRows {
        try await take { $0.nextRows() }
    }

    /// Cancels what is running, if anything is.
    package func close() {
        eventLoop.execute { [channel] in
            channel.value.stop(Report(.error, "57014", "canceling statement due to user request"))
        }
    }

    private func take<Value: Sendable>(
        _ wish: @escaping @Sendable (QueryChannel) -> EventLoopFuture<Value>
    ) async throws(Report) -> Value {
        do {
            return try await eventLoop.flatSubmit { [channel] in wish(channel.value) }.get()
        } catch let report as Report {
            throw report
        } catch {
            throw Report(.error, "08006", "the connection to the read port broke: \(error)")
        }
    }
}

extension ReadLoop {
    /// From any thread.
    func begin(_ order: ReadOrder) async throws(Report) -> ReadQuery {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Report(.error, "53000", "no connection within the process: \(String(cString: strerror(errno)))")
        }
        let (serving, asking) = (ends[0], ends[1])
        guard registry.enter() else {
            Glibc.close(serving)
            Glibc.close(asking)
            instruments.clientsRefused.add()
            throw Report(.error, "53300", "sorry, too many clients already")
        }
        do {
            return try await eventLoop.flatSubmit { [self] in connect(order, serving: serving, asking: asking) }.get()
        } catch {
            throw Report(.error, "08006", "no connection within the process: \(error)")
        }
    }

    private func connect(_ order: ReadOrder, serving: CInt, asking: CInt) -> EventLoopFuture<ReadQuery> {
        var parameters = [StartupMessage.Parameter("user", order.user)]
        parameters.append(.init("database", configuration.upstream.database))
        if let after = order.after { parameters.append(.init(OwnSetting.name, after)) }
        let startup = StartupMessage(parameters: parameters + order.settings)
        let client = NIOLoopBound(ClientConnection(loop: self, guest: startup), eventLoop: eventLoop)
        let query = NIOLoopBound(QueryChannel(order, eventLoop), eventLoop: eventLoop)
        // The asking end comes first: what it sends is there when the serving end refuses it, and so can't break what that says.
        let asker = ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 65536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(query.value) }
            }
            .withConnectedSocket(asking)
            .flatMapErrorThrowing { error in
                Glibc.close(serving)
                throw error
            }
        return asker.flatMap { [eventLoop] asker in
            ClientBootstrap(group: eventLoop)
                .channelOption(.maxMessagesPerRead, value: 1)
                .channelOption(.writeBufferWaterMark, value: .init(low: 65536, high: 262_144))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(client.value)
                    }
                }
                .withConnectedSocket(serving)
                .flatMapErrorThrowing { error in
                    asker.close(promise: nil)
                    throw error
                }
        }
        .map { [eventLoop] _ in ReadQuery(channel: query, eventLoop: eventLoop) }
        .flatMapErrorThrowing { [registry] error in
            registry.leave()
            throw error
        }
    }
}
