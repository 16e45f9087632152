import NIOCore
import NIOPosix

/// Ingest over TCP (design, section 8): one connection, one batch at a time. A batch counts as acknowledged once the answers
/// have covered all its lines; after any failure the connection is made anew.
package final class LineTransport: BatchTransport {
    package struct Settings: Sendable {
        package var host: String
        package var port: Int
        package var stream: String
        package var token: String?
        /// For one attempt, connecting included.
        package var timeout: Duration

        package init(host: String, port: Int, stream: String, token: String? = nil, timeout: Duration = .seconds(10)) {
            self.host = host
            self.port = port
            self.stream = stream
            self.token = token
            self.timeout = timeout
        }
    }

    private let settings: Settings
    private let eventLoop: any EventLoop
    private let connection: NIOLoopBoundBox<LineConnection?>

    package init(settings: Settings) {
        self.settings = settings
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        connection = .makeEmptyBox(valueType: LineConnection.self, eventLoop: eventLoop)
    }

    package func post(_ body: [UInt8], key: String?) async -> IngestReply {
        let lines = body.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        do {
            let reply = try await eventLoop.flatSubmit { self.exchange(body, key: key, lines: lines) }.get()
            if case .lost = reply {
                await close()
            }
            return reply
        } catch {
            await close()
            return .lost(reason: "\(error)")
        }
    }

    package func close() async {
        // Closing what is closed is what is wanted.
        try? await eventLoop.submit {
            self.connection.value?.close()
            self.connection.value = nil
        }.get()
    }

    private func exchange(_ body: [UInt8], key: String?, lines: Int) -> EventLoopFuture<IngestReply> {
        let timeout = TimeAmount(settings.timeout)
        if let open = connection.value, open.isOpen {
            return open.exchange(body, key: key, lines: lines, timeout: timeout)
        }
        let fresh = LineConnection(eventLoop: eventLoop, hello: hello)
        connection.value = fresh
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(fresh) }
            }
            .connect(host: settings.host, port: settings.port)
            .flatMap { _ in fresh.exchange(body, key: key, lines: lines, timeout: timeout) }
    }

    private var hello: String {
        let token = settings.token.map { ",\"token\":\"\($0)\"" } ?? ""
        return "{\"forebay\":{\"stream\":\"\(settings.stream)\",\"ack\":true\(token)}}\n"
    }
}

/// The connection of a ``LineTransport``. Owned by its event loop.
private final class LineConnection: ChannelInboundHandler, @unchecked Sendable {
    // Sendable because everything in it is touched on its event loop only.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Waiting {
        var promise: EventLoopPromise<IngestReply>
        var lines: Int
        var left: Int
        var timer: Scheduled<Void>
    }

    private let eventLoop: any EventLoop
    /// The connection's first line, until it is sent.
    private var hello: String?
    private var context: ChannelHandlerContext?
    private var parser = LineAnswerParser()
    private var waiting: Waiting?

    init(eventLoop: any EventLoop, hello: String?) {
        self.eventLoop = eventLoop
        self.hello = hello
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    func exchange(_ body: [UInt8], key: String?, lines: Int, timeout: TimeAmount) -> EventLoopFuture<IngestReply> {
        eventLoop.assertInEventLoop()
        precondition(waiting == nil, "one batch at a time")
        guard let context else {
            return eventLoop.makeSucceededFuture(.lost(reason: "connection closed"))
        }
        let promise = eventLoop.makePromise(of: IngestReply.self)
        let timer = eventLoop.scheduleTask(in: timeout) { self.end(.lost(reason: "no answer in time")) }
        waiting = Waiting(promise: promise, lines: lines, left: lines, timer: timer)
        var buffer = context.channel.allocator.buffer(capacity: body.count + 128)
        if let hello {
            buffer.writeString(hello)
            self.hello = nil
        }
        if let key {
            buffer.writeString("{\"forebay\":{\"key\":\"\(key)\",\"count\":\(lines)}}\n")
        }
        buffer.writeBytes(body)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        return promise.futureResult
    }

    func close() {
        eventLoop.assertInEventLoop()
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        // Not when the channel becomes active, which comes after the connect's promise.
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes { all in
            var bytes = all
            do {
                while let answer = try parser.next(from: &bytes) {
                    switch answer {
                    case .acknowledged(let lines, let repeated): acknowledge(lines, repeated: repeated)
                    case .refused(_, let retry, let reason): refuse(retry: retry, reason)
                    }
                }
            } catch {
                end(.lost(reason: "unreadable answer"))
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.lost(reason: "connection closed"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.lost(reason: "\(error)"))
        context.close(promise: nil)
    }

    private func acknowledge(_ lines: Int, repeated: Bool) {
        guard var request = waiting else { return }
        guard lines <= request.left else {
            end(.lost(reason: "the answer covers \(lines) lines where \(request.left) were open"))
            context?.close(promise: nil)
            return
        }
        request.left -= lines
        waiting = request
        if request.left == 0 {
            let body = "{\"accepted\":\(request.lines)\(repeated ? ",\"repeated\":true" : "")}"
            end(.answer(HTTPAnswer(status: 200, body: Array(body.utf8))))
        }
    }

    /// A part of the batch may be on disk by now; the whole of it is sent again, over a connection that owes no other answers.
    private func refuse(retry: Bool, _ reason: String) {
        if retry {
            end(.lost(reason: reason))
        } else {
            end(.answer(HTTPAnswer(status: 400, body: Array(reason.utf8))))
            context?.close(promise: nil)
        }
    }

    private func end(_ reply: IngestReply) {
        guard let request = waiting else { return }
        waiting = nil
        request.timer.cancel()
        request.promise.succeed(reply)
    }
}
