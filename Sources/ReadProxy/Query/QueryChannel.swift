import NIOCore
import PostgresWire

/// The asking end of a connection to the read port within this process. Reads only what somebody waits for, so that what is not taken stays with the server.
///
/// Owner: the event loop of the channel.
final class QueryChannel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Wish {
        case columns(EventLoopPromise<[BackendMessage.Column]>)
        case rows(EventLoopPromise<ReadRows>)
    }

    private let order: ReadOrder
    private let eventLoop: any EventLoop
    private var machine: QueryMachine
    private var context: ChannelHandlerContext?
    private var held = ByteBuffer()
    private var wish: Wish?
    private var columns: [BackendMessage.Column] = []
    private var rows: [[[UInt8]?]] = []
    private var end: Result<ReadRows.End, Report>?
    private var deadline: Scheduled<Void>?

    /// Of one row.
    private static let mostBytes = 16 << 20

    init(_ order: ReadOrder, _ eventLoop: any EventLoop) {
        self.order = order
        self.eventLoop = eventLoop
        machine = QueryMachine(limit: order.rows)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        deadline?.cancel()
    }

    func channelActive(context: ChannelHandlerContext) {
        var writer = WireWriter()
        for message in order.messages { message.encode(into: &writer) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: writer.bytes)), promise: nil)
        let time = order.time
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(time)) { [weak self] in
            self?.stop(Report(.error, "57014", "canceling statement due to the time limit of \(time)"))
        }
    }

    // MARK: Wishes

    /// As soon as there is a row, or the end without one.
    func nextColumns() -> EventLoopFuture<[BackendMessage.Column]> {
        let promise = eventLoop.makePromise(of: [BackendMessage.Column].self)
        wish = .columns(promise)
        satisfy()
        return promise.futureResult
    }

    /// Some rows, or the end, or both.
    func nextRows() -> EventLoopFuture<ReadRows> {
        let promise = eventLoop.makePromise(of: ReadRows.self)
        wish = .rows(promise)
        satisfy()
        return promise.futureResult
    }

    private func satisfy() {
        switch (wish, end) {
        case (nil, _): return
        case (.columns(let promise), _) where !rows.isEmpty: answer { promise.succeed(columns) }
        case (.columns(let promise), .success): answer { promise.succeed(columns) }
        case (.rows(let promise), _) where !rows.isEmpty:
            let some = ReadRows(rows: rows, end: try? end?.get())
            rows = []
            answer { promise.succeed(some) }
        case (.rows(let promise), .success(let end)): answer { promise.succeed(ReadRows(rows: [], end: end)) }
        case (.columns(let promise), .failure(let report)): answer { promise.fail(report) }
        case (.rows(let promise), .failure(let report)): answer { promise.fail(report) }
        case (.some, nil): context?.read()
        }
    }

    private func answer(_ body: () -> Void) {
        wish = nil
        body()
    }

    // MARK: What comes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        held.writeBuffer(&buffer)
        do {
            while let message = try nextMessage() { perform(machine.handle(message)) }
        } catch {
            stop(error)
        }
        if held.readableBytes == 0 { held = ByteBuffer() }
        satisfy()
    }

    private func nextMessage() throws(Report) -> BackendMessage? {
        do {
            let header = try held.withUnsafeReadableBytes {
                try MessageHeader.read($0, at: 0, limit: Self.mostBytes)
            }
            guard let header, var message = held.readSlice(length: header.messageBytes) else { return nil }
            message.moveReaderIndex(forwardBy: MessageHeader.bytes)
            return try message.withUnsafeReadableBytes { try BackendMessage(tag: header.tag, body: $0) }
        } catch WireFault.length {
            throw Report(.error, "54000", "a row of more than \(Self.mostBytes) bytes", hint: "Use the read port.")
        } catch {
            throw Report(.error, "XX000", "the read port's answer can't be read: \(error)")
        }
    }

    private func perform(_ action: QueryMachine.Action) {
        switch action {
        case .none: break
        case .columns(let columns): self.columns = columns
        case .row(let values): rows.append(values)
        case .finish(let isCut): finish(.success(ReadRows.End(isCut: isCut)))
        case .fail(let report): finish(.failure(report))
        }
    }

    private func finish(_ result: Result<ReadRows.End, Report>) {
        guard end == nil else { return }
        end = result
        deadline?.cancel()
        context?.close(promise: nil)
    }

    /// Gives up: the read port cancels what is running.
    func stop(_ report: Report) {
        finish(.failure(report))
        satisfy()
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform(machine.end())
        satisfy()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        stop(Report(.error, "08006", "the connection to the read port broke: \(error)"))
    }
}
