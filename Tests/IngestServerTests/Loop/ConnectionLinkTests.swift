// Answers beside the channel: a pair of sockets that can be filled at will, and a handler that holds what the channel is given.
import Glibc
import Instruments
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import IngestServer

@Suite struct ConnectionLinkTests {
    @Test func anAnswerGoesToTheSocketAtOnce() throws {
        let connection = try Connection()
        try connection.ask()
        #expect(connection.answersOnTheSocket() == 1)
        #expect(connection.channel.held.isEmpty)
    }

    @Test func noAnswerOvertakesOneThatTheSocketDidNotTake() throws {
        let connection = try Connection()
        connection.fillSocket()
        try connection.ask()
        #expect(connection.channel.held.count == 1)
        connection.emptySocket()
        try connection.ask()
        #expect(connection.channel.held.count == 2)
        #expect(connection.answersOnTheSocket() == 0)

        connection.channel.finishWrites()
        try connection.ask()
        #expect(connection.channel.held.isEmpty)
        #expect(connection.answersOnTheSocket() == 1)
    }

    /// By then the number may be another connection's.
    @Test func nothingGoesToASocketThatTheChannelHasClosed() throws {
        let connection = try Connection()
        connection.embedded.pipeline.fireChannelInactive()
        try connection.ask()
        #expect(connection.answersOnTheSocket() == 0)
        #expect(connection.channel.held.count == 1)
    }

    /// Keeps the writes of a channel until it is told that they are done.
    private final class HeldWrites: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private(set) var held: [EventLoopPromise<Void>?] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            held.append(promise)
        }

        func finishWrites() {
            let done = held
            held = []
            for promise in done { promise?.succeed(()) }
        }
    }

    private final class Connection {
        let embedded = EmbeddedChannel()
        let channel = HeldWrites()
        private var sockets: [Int32] = [-1, -1]

        init() throws {
            try #require(
                socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &sockets) == 0
            )
            let loop = IngestLoop(
                eventLoop: embedded.eventLoop,
                number: 0,
                of: 1,
                backend: try ScriptedBackend(),
                configuration: .loopback,
                instruments: IngestInstruments(),
                budget: MemoryBudget(capacity: 1 << 20, gauge: Gauge()),
                logger: Logger(label: "test")
            )
            try embedded.pipeline.syncOperations.addHandler(channel)
            try embedded.pipeline.syncOperations.addHandler(HTTPConnection(loop: loop, number: 0, socket: sockets[0]))
        }

        deinit {
            for socket in sockets { close(socket) }
        }

        func ask() throws {
            try embedded.writeInbound(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
        }

        func fillSocket() {
            let bytes = [UInt8](repeating: 0, count: 4096)
            while send(sockets[0], bytes, bytes.count, 0) > 0 {}
            while send(sockets[0], bytes, 1, 0) > 0 {}
        }

        func emptySocket() {
            _ = received()
        }

        func answersOnTheSocket() -> Int {
            String(decoding: received(), as: UTF8.self).split(separator: "\r\n").count {
                $0.hasSuffix("HTTP/1.1 200 OK")
            }
        }

        private func received() -> [UInt8] {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = recv(sockets[1], &chunk, chunk.count, 0)
                guard count > 0 else { return bytes }
                bytes += chunk[..<count]
            }
        }
    }
}
