// Method: an embedded channel, and below the connection a valve that opens in the middle of a flush, as a socket does that takes at once what
// lay in the channel. The connection then goes on reading before its own write has returned.

import IngestFormats
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import IngestServer

@Suite struct ReentryTests {
    @Test func anAnswerIsSentOnceWhenTheChannelOpensWhileItIsSent() throws {
        let backend = try ScriptedBackend()
        backend.hold()
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        let valve = Valve()
        let ingest = DetachedIngest(
            eventLoop: channel.eventLoop,
            backend: backend,
            configuration: IngestConfiguration(),
            instruments: IngestInstruments(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandler(valve)
        try ingest.attach(channel, as: .http)

        try channel.writeInbound(ByteBuffer(string: RunningServer.post(#"{"id":1}"#)))
        channel.embeddedEventLoop.run()
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        // Nothing more is taken of a peer that takes no answers; this is kept for when it does.
        try channel.writeInbound(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
        valve.opens = true
        backend.releaseAll()
        channel.embeddedEventLoop.run()

        var sent = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { sent += String(buffer: buffer) }
        #expect(sent.ranges(of: "HTTP/1.1 200").count == 2)
        #expect(sent.ranges(of: #"{"accepted":1"#).count == 1)
        #expect(sent.hasPrefix("HTTP/1.1 200") && sent.contains(#"{"accepted":1,"#))
        _ = ingest.drain(grace: .seconds(1))
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    }
}

private final class Valve: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    var opens = false

    func flush(context: ChannelHandlerContext) {
        context.flush()
        guard opens, let channel = context.channel as? EmbeddedChannel, !channel.isWritable else { return }
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
    }
}
