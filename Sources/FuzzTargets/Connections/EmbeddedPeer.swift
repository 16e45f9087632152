import IngestServer
import Instruments
import Logging
import NIOCore
import NIOEmbedded
import Records

/// The other end of a connection to ingest, without a socket: what it sends comes in portions of random sizes between whatever else may
/// happen to a connection.
///
/// Owner: one run of a fuzz target.
final class EmbeddedPeer {
    /// What may happen besides bytes coming and appends becoming durable.
    struct Trouble {
        /// The queue refuses appends for a while.
        var refuses = false
        /// The peer leaves its answers unread for a while.
        var stalls = false
        /// The proxy shuts down in the middle.
        var drains = false
    }

    let queue: ScriptedQueue
    let instruments = IngestInstruments()
    private let channel: EmbeddedChannel
    private let gate = ReadGate()
    private let ingest: DetachedIngest
    private var random: FuzzRandom
    private let trouble: Trouble
    private(set) var answers: [UInt8] = []
    /// The proxy's patience ended while appends were under way, as it does in a shutdown: nobody is told of those.
    private(set) var isCutOff = false
    private var hasDrained = false
    /// Portions that the peer has sent and the channel was not read for.
    private var unread: ArraySlice<[UInt8]> = []

    init(
        _ kind: DetachedIngest.Kind,
        _ configuration: IngestConfiguration,
        _ queue: ScriptedQueue,
        _ trouble: Trouble,
        _ random: FuzzRandom
    ) throws {
        self.queue = queue
        self.trouble = trouble
        self.random = random
        channel = EmbeddedChannel()
        var logger = Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        ingest = DetachedIngest(
            eventLoop: channel.eventLoop,
            backend: queue,
            configuration: configuration,
            instruments: instruments,
            logger: logger
        )
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandler(gate)
        try ingest.attach(channel, as: kind)
        channel.pipeline.read()
    }

    /// Sends everything, ends its side, and waits for the end of the connection. Throws if that does not come.
    func send(_ bytes: UnsafeRawBufferPointer) throws(Finding) {
        let limit = [1, 7, 64, 1000][random.below(4)]
        unread = bytes.portions(upTo: limit, &random)[...]
        let drainsAt = trouble.drains ? random.below(unread.count + 1) : -1
        if drainsAt == unread.count { drain() }
        while !unread.isEmpty, channel.isActive {
            if unread.count == drainsAt { drain() }
            step()
            if !gate.isOpen, queue.isIdle { advance() }
        }
        if channel.isActive { channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
        settle()
        try promise(!channel.isActive, "the connection does not end after its peer has")
        try promise(instruments.connections.value == 0, "a closed connection is kept")
        try promise(
            instruments.inFlightBytes.value == 0,
            "\(instruments.inFlightBytes.value) bytes of memory are held for a connection that is gone"
        )
    }

    /// One thing that may happen next.
    private func step() {
        switch random.below(8) {
        case 0: finishAppends()
        case 1: if random.below(4) == 0 { advance() }
        case 2 where trouble.stalls:
            channel.isWritable.toggle()
            if !channel.isWritable { gate.takesAllInFlush.toggle() }
            channel.pipeline.fireChannelWritabilityChanged()
        case 3 where trouble.refuses:
            queue.intake = random.below(2) == 0 ? .accepting : .full
        default:
            guard gate.isOpen, let portion = unread.popFirst() else { return finishAppends() }
            gate.isOpen = false
            // A write to an embedded channel fails once it is closed, which the loop above sees.
            _ = try? channel.writeInbound(ByteBuffer(bytes: portion))
            // As a channel with automatic reading does after each burst.
            channel.pipeline.read()
        }
        collect()
    }

    private func finishAppends() {
        let refusal: AppendOutcome? =
            trouble.refuses && random.below(3) == 0
            ? [.full, .overloaded, .failed(reason: "a sync failed"), .closing][random.below(4)] : nil
        queue.finishOne(refusal)
        queue.finishWaits([.reached, .timedOut, .closing][random.below(3)])
        channel.embeddedEventLoop.run()
    }

    private func drain() {
        hasDrained = true
        _ = ingest.drain(grace: .seconds(1))
        channel.embeddedEventLoop.run()
    }

    private func advance() {
        pass(.milliseconds(Int64(random.below(300))))
    }

    private func pass(_ time: TimeAmount) {
        let wasActive = channel.isActive
        channel.embeddedEventLoop.advanceTime(by: time)
        if wasActive, !channel.isActive, hasDrained, !queue.isIdle { isCutOff = true }
    }

    /// From here on everything goes well.
    private func settle() {
        queue.intake = .accepting
        if !channel.isWritable {
            channel.isWritable = true
            channel.pipeline.fireChannelWritabilityChanged()
        }
        for _ in 0..<200 where channel.isActive || !queue.isIdle || instruments.connections.value > 0 {
            while !queue.isIdle {
                queue.finishOne(nil)
                queue.finishWaits(.reached)
                channel.embeddedEventLoop.run()
            }
            pass(.milliseconds(500))
        }
        // Ends the loop's sweep, and lets pass what it has set for later: either would keep all of this in memory.
        drain()
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        collect()
    }

    private func collect() {
        while let written = try? channel.readOutbound(as: ByteBuffer.self) { answers += written.readableBytesView }
    }
}
