// Method: an embedded channel, whose time goes on when the test says so; nothing here waits. What the connection sends may be kept from
// leaving, as by a peer that reads nothing and whose kernel has room for no more.

import IngestFormats
import Instruments
import Logging
import NIOCore
import NIOEmbedded
import Records
import Testing

@testable import IngestServer

@Suite struct DeadlineTests {
    private static let greeting = #"{"forebay":{"stream":"events","ack":true}}"# + "\n"
    private static let key = #"{"forebay":{"key":"k1","count":3}}"# + "\n"

    @Test(
        arguments: [
            (.http, "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
            (.tcp, #"{"forebay":{"stream":"nowhere"}}"# + "\n"),
        ] as [(DetachedIngest.Kind, String)]
    )
    func theLastAnswerIsNotWaitedForForEver(_ kind: DetachedIngest.Kind, _ sent: String) throws {
        let peer = try TimedPeer(kind)
        defer { peer.end() }
        peer.readsNothing = true
        try peer.send(sent)
        peer.pass(.seconds(29))
        #expect(peer.isConnected)
        peer.pass(.seconds(2))
        #expect(!peer.isConnected)
        #expect(peer.instruments.connections.value == 0)
        #expect(peer.instruments.connectionsTimedOut.value == 1)
    }

    @Test func aLineIsTimedFromItsOwnBeginning() throws {
        let peer = try TimedPeer(.tcp)
        defer { peer.end() }
        try peer.send(Self.greeting + "{\"id\"")
        for _ in 0..<3 {
            peer.pass(.seconds(40))
            try peer.send(":1}\n{\"id\"")
        }
        #expect(peer.answers.ranges(of: #"{"ok":1,"#).count == 3)
        peer.pass(.seconds(61))
        #expect(peer.answers.hasSuffix(#""reason":"The line did not end in time."}}"# + "\n"))
    }

    @Test func theLinesOfAKeyThatDoNotComeInTimeGiveTheirMemoryBack() throws {
        let peer = try TimedPeer(.tcp)
        defer { peer.end() }
        try peer.send(Self.greeting + "{\"id\":1}\n")
        // A connection may be silent for as long as it likes between its lines.
        peer.pass(.hours(1))
        try peer.send(Self.key + "{\"id\":2}\n")
        peer.pass(.seconds(50))
        try peer.send("{\"id\":3}\n")
        #expect(peer.instruments.inFlightBytes.value > 0)
        peer.pass(.seconds(11))
        #expect(
            peer.answers.hasSuffix(
                #"{"error":{"lines":2,"retry":true,"reason":"2 of the key's 3 lines came; none of them was stored"}}"#
                    + "\n"
                    + #"{"error":{"lines":0,"retry":true,"closing":true,"reason":"The lines of the key did not all come in time."}}"#
                    + "\n"
            )
        )
        #expect(peer.instruments.inFlightBytes.value == 0)
        #expect(peer.instruments.connectionsTimedOut.value == 1)
    }

    @Test func whatTheQueueHoldsUpIsNotTheTimeOfAKey() throws {
        let peer = try TimedPeer(.tcp)
        defer { peer.end() }
        peer.backend.script(.full)
        peer.backend.intakeNow = .full
        try peer.send(Self.greeting + "{\"id\":1}\n" + Self.key + "{\"id\":2}\n")
        peer.pass(.hours(1))
        peer.backend.intakeNow = .accepting
        peer.pass(.seconds(50))
        try peer.send("{\"id\":3}\n{\"id\":4}\n")
        #expect(peer.answers.contains(#"{"ok":3,"#))
    }

    @Test func theLinesOfAKeyDoNotKeepTheMemoryOfAllIngest() throws {
        let peer = try TimedPeer(.tcp, IngestConfiguration().with(\.inFlightBytes, 1000))
        defer { peer.end() }
        try peer.send(Self.greeting + Self.key + "{\"id\":2,\"name\":\"\(String(repeating: "n", count: 2000))\"}\n")
        #expect(peer.instruments.inFlightBytes.value > 1000)
        peer.pass(.seconds(9))
        #expect(peer.answers == "")
        peer.pass(.seconds(2))
        #expect(peer.answers.hasSuffix(#""reason":"More is on its way than the proxy holds in memory."}}"# + "\n"))
        #expect(peer.instruments.inFlightBytes.value == 0)
    }

    @Test func whatWasReadIsStoredThoughMoreFindsNoMemory() throws {
        let configuration = IngestConfiguration().with(\.inFlightBytes, 1000).with(\.tcpStream, "events")
        let peer = try TimedPeer(.tcp, configuration.with(\.maxBatchBytes, 1))
        defer { peer.end() }
        peer.backend.hold()
        // More lines than may be with the queue at a time, and a beginning of one more.
        let lines = TCPConnection.depth * TCPConnection.runLines + 500
        try peer.send(String(repeating: "{\"id\":1}\n", count: lines) + "{")
        peer.pass(.seconds(11))
        peer.backend.releaseAll()
        peer.pass(.seconds(1))
        #expect(peer.backend.rowCount == lines)
        #expect(peer.instruments.inFlightBytes.value == 0)
    }
}

/// The other end of a connection without a socket.
private final class TimedPeer {
    let backend: ScriptedBackend
    let instruments = IngestInstruments()
    private let channel = EmbeddedChannel()
    private let plug = Plug()
    private let ingest: DetachedIngest
    private(set) var answers = ""

    init(_ kind: DetachedIngest.Kind, _ configuration: IngestConfiguration = IngestConfiguration()) throws {
        backend = try ScriptedBackend()
        ingest = DetachedIngest(
            eventLoop: channel.eventLoop,
            backend: backend,
            configuration: configuration,
            instruments: instruments,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandler(plug)
        try ingest.attach(channel, as: kind)
    }

    var isConnected: Bool { channel.isActive }

    var readsNothing: Bool {
        get { plug.keepsAll }
        set { plug.keepsAll = newValue }
    }

    func send(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
        channel.embeddedEventLoop.run()
        collect()
    }

    func pass(_ time: TimeAmount) {
        channel.embeddedEventLoop.advanceTime(by: time)
        collect()
    }

    /// Ends the loop's sweep, which would go on for as long as time does.
    func end() {
        backend.releaseAll()
        _ = ingest.drain(grace: .zero)
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private func collect() {
        while let buffer = try? channel.readOutbound(as: ByteBuffer.self) { answers += String(buffer: buffer) }
    }
}

/// Keeps what is written until the channel is closed.
private final class Plug: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var keepsAll = false
    private var kept: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard keepsAll else { return context.write(data, promise: promise) }
        if let promise { kept.append(promise) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // An embedded channel has no sides that could be closed apart.
        guard mode == .all else {
            promise?.succeed()
            return
        }
        let unsent = kept
        kept = []
        for promise in unsent { promise.fail(ChannelError.ioOnClosedChannel) }
        context.close(mode: mode, promise: promise)
    }
}
