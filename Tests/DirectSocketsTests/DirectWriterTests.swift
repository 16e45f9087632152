// A handler that writes through a DirectWriter, over a real socket whose other end the test reads at will, and a handler in front of it that counts what the
// channel is given. Patterns of bytes show that nothing is lost, doubled or moved.
import Glibc
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import DirectSockets

@Suite struct DirectWriterTests {
    @Test func aSmallAnswerGoesPastTheChannel() async throws {
        let pair = try await Pair()
        try await pair.send([pattern(100)])
        #expect(pair.receive(100) == pattern(100))
        #expect(try await pair.passed() == 0)
        try await pair.close()
    }

    @Test func smallBuffersOfATurnGoPastTheChannelTogether() async throws {
        let pair = try await Pair()
        try await pair.send([pattern(10), pattern(20, from: 10), pattern(30, from: 30)])
        #expect(pair.receive(60) == pattern(60))
        #expect(try await pair.passed() == 0)
        try await pair.close()
    }

    @Test func largeBuffersOfATurnGoThroughTheChannelInTheirOrder() async throws {
        let pair = try await Pair()
        let size = 10 << 10
        try await pair.send([
            pattern(5), pattern(size, from: 5), pattern(size, from: size + 5), pattern(5, from: 2 * size + 5),
        ])
        #expect(pair.receive(2 * size + 10) == pattern(2 * size + 10))
        // The first two are one by then.
        #expect(try await pair.passed() == 3)
        try await pair.close()
    }

    @Test func nothingOvertakesWhatTheSocketDidNotTake() async throws {
        let pair = try await Pair()
        let first = 4 << 20
        let early = try await pair.send(pattern(first), makingRoomBefore: pattern(1000, from: first))
        #expect(!early.isEmpty)
        #expect(try await pair.passed() == 2)
        try await pair.send([pattern(7, from: first + 1000)])
        #expect(early + pair.receive(first + 1007 - early.count) == pattern(first + 1007))

        // Everything was written: answers are sent straight again, as soon as the channel knows of its last write as well.
        var sent = first + 1007
        var straight = false
        while !straight {
            let before = try await pair.passed()
            try await pair.send([pattern(5, from: sent)])
            #expect(pair.receive(5) == pattern(5, from: sent))
            sent += 5
            straight = try await pair.passed() == before
        }
        try await pair.close()
    }

    /// By then the number may be another connection's.
    @Test func nothingGoesToASocketThatTheChannelHasClosed() async throws {
        let pair = try await Pair()
        var others: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &others) == 0)
        let stranger = others
        try await pair.onLoop { sender in
            let number = try #require(sender.number)
            let context = try #require(sender.context)
            sender.writer.write(ByteBuffer(bytes: [1, 2, 3]), to: context)
            context.close(promise: nil)
            #expect(dup2(stranger[0], number) == number)
            sender.writer.flush(context)
            sender.send([[4, 5, 6]])
            Glibc.close(number)
        }
        var byte: UInt8 = 0
        #expect(recv(stranger[1], &byte, 1, 0) == -1 && errno == EAGAIN)
        for socket in stranger { Glibc.close(socket) }
        try await pair.close()
    }

    @Test func behindAnotherHandlerEverythingGoesThroughIt() async throws {
        let pair = try await Pair()
        try await pair.onLoop { $0.writer.takeThePipeline() }
        try await pair.send([pattern(100)])
        #expect(pair.receive(100) == pattern(100))
        #expect(try await pair.passed() == 1)
        try await pair.close()
    }

    @Test func aChannelWithoutASocketGetsEverything() throws {
        let channel = EmbeddedChannel()
        let sender = Sender()
        try channel.pipeline.syncOperations.addHandler(sender)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        sender.send([pattern(9)])
        #expect(try channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(bytes: pattern(9)))
        _ = try channel.finish()
    }
}

private func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
    (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

/// Counts what passes.
private final class Counter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var writes = 0

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writes += 1
        context.write(data, promise: promise)
    }
}

private final class Sender: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var context: ChannelHandlerContext?
    let writer = DirectWriter()
    var number: CInt?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        writer.attach(context)
        let handle = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable {
            (handle: NIOBSDSocket.Handle) in handle
        }
        number = handle
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        writer.detach()
    }

    func send(_ pieces: [[UInt8]]) {
        guard let context else { return }
        for piece in pieces { writer.write(ByteBuffer(bytes: piece), to: context) }
        writer.flush(context)
    }
}

/// A channel on one end of a pair of sockets, and the other end.
private final class Pair: Sendable {
    private let channel: any Channel
    private let sender: NIOLoopBound<Sender>
    private let counter: NIOLoopBound<Counter>
    private let peer: CInt

    init() async throws {
        var sockets: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &sockets) == 0)
        peer = sockets[1]
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let handlers = try await eventLoop.submit {
            (NIOLoopBound(Sender(), eventLoop: eventLoop), NIOLoopBound(Counter(), eventLoop: eventLoop))
        }.get()
        (sender, counter) = handlers
        channel = try await ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handlers.1.value)
                    try channel.pipeline.syncOperations.addHandler(handlers.0.value)
                }
            }
            .withConnectedSocket(sockets[0]).get()
    }

    func onLoop(_ body: @escaping @Sendable (Sender) throws -> Void) async throws {
        try await channel.eventLoop.submit { [sender] in try body(sender.value) }.get()
    }

    func send(_ pieces: [[UInt8]]) async throws {
        try await onLoop { $0.send(pieces) }
    }

    /// The reader makes room between two answers, before the channel comes to use it; what was read is returned.
    func send(_ first: [UInt8], makingRoomBefore second: [UInt8]) async throws -> [UInt8] {
        try await channel.eventLoop.submit { [sender, peer] in
            sender.value.send([first])
            var bytes = [UInt8](repeating: 0, count: first.count)
            let got = recv(peer, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            sender.value.send([second])
            return Array(bytes.prefix(max(0, got)))
        }.get()
    }

    /// Writes that the channel was given.
    func passed() async throws -> Int {
        try await channel.eventLoop.submit { [counter] in counter.value.writes }.get()
    }

    /// Waits for that many bytes, or the end.
    func receive(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = recv(peer, &bytes, count, CInt(MSG_WAITALL))
        return Array(bytes.prefix(max(0, got)))
    }

    func close() async throws {
        Glibc.close(peer)
        // Closed already where the test did it.
        try? await channel.close().get()
    }
}
