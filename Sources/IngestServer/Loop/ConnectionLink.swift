import DirectSockets
import Instruments
import NIOCore

/// The channel of a connection as its handler uses it: reads that are held back, answers collected into one write, and
/// an end that does not take answers with it.
///
/// Owner: the connection, on its event loop.
final class ConnectionLink {
    private let loop: IngestLoop
    private(set) var context: ChannelHandlerContext?
    private let writer = DirectWriter()
    private let isPlain: Bool
    /// Bytes that the next `flush` sends.
    var outgoing = ByteBuffer()
    /// A read of the channel that is held back while nothing more can be taken.
    private var holdsRead = false
    private var isWritable = true
    private var unwritableSince: NIODeadline
    /// The last bytes were handed to the channel.
    private(set) var isFinished = false
    /// When the last bytes are to have left, once there are no more.
    private var finishEnd: NIODeadline?
    private var lingerEnd: NIODeadline?
    /// The peer has sent all that it will.
    private(set) var inputEnded = false

    /// - Parameter isPlain: no other handler changes what goes out, as TLS does.
    init(loop: IngestLoop, isPlain: Bool) {
        self.loop = loop
        self.isPlain = isPlain
        unwritableSince = loop.eventLoop.now
    }

    var isOpen: Bool { context != nil }

    /// The peer takes answers as fast as they come: else nothing more is taken of it.
    var takesAnswers: Bool { isWritable }

    /// What comes in is dropped until the peer is done or its time is up.
    var isLingering: Bool { lingerEnd != nil }

    func attach(_ context: ChannelHandlerContext) {
        self.context = context
        if isPlain { writer.attach(context) }
    }

    func detach() {
        context = nil
        writer.detach()
    }

    // MARK: - Reading

    /// Lets a read of the channel pass, or keeps it for `resumeReading`.
    func read(if mayRead: Bool) {
        if mayRead || isLingering {
            context?.read()
        } else {
            holdsRead = true
        }
    }

    func resumeReading() {
        guard holdsRead else { return }
        holdsRead = false
        context?.read()
    }

    /// Notes that the peer ended its side; true if that is news to the connection.
    func endInput() -> Bool {
        inputEnded = true
        if isLingering {
            closeNow()
            return false
        }
        return true
    }

    // MARK: - Writing

    func flush() {
        guard let context, !isFinished, outgoing.readableBytes > 0 else { return }
        // Taken out first: a channel that takes all of it may have the connection go on before it returns, and there may be more to send by then.
        var leaving = outgoing
        outgoing = ByteBuffer()
        writer.write(leaving, to: context)
        writer.flush(context)
        guard outgoing.readableBytes == 0 else { return }
        leaving.clear()
        outgoing = leaving
    }

    /// Sends what is left to send, then closes.
    ///
    /// - Parameter leavesInput: bytes of the peer may be left unread. Closing on those would reset the connection, and
    ///   the reset could overtake the last answer (RFC 9112, section 9.6); so the sending side alone is closed first,
    ///   and what comes in is dropped for a while.
    func finish(leavesInput: Bool) {
        guard let context, !isFinished else { return }
        isFinished = true
        finishEnd = (isWritable ? loop.eventLoop.now : unwritableSince) + TimeAmount(loop.configuration.writeTimeout)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            if leavesInput, !self.inputEnded { self.linger() } else { self.closeNow() }
        }
        context.writeAndFlush(NIOAny(outgoing), promise: written)
        outgoing = ByteBuffer()
    }

    private func linger() {
        guard let context else { return }
        lingerEnd = loop.eventLoop.now + TimeAmount(loop.configuration.lingerTimeout)
        context.close(mode: .output, promise: nil)
        resumeReading()
    }

    func closeNow() {
        context?.close(promise: nil)
    }

    /// Notes whether the peer takes answers; true if it does again.
    func writabilityDidChange() -> Bool {
        guard let context else { return false }
        isWritable = context.channel.isWritable
        if !isWritable { unwritableSince = loop.eventLoop.now }
        return isWritable
    }

    /// Closes a connection whose peer takes too long over its answers or over its end; true if it did.
    func closeIfLate(_ now: NIODeadline) -> Bool {
        if let lingerEnd {
            if now >= lingerEnd { closeNow() }
            return true
        }
        if let finishEnd {
            // A channel is writable as long as little is left to send, however long that little is left.
            guard now >= finishEnd else { return true }
        } else {
            let limit = TimeAmount(loop.configuration.writeTimeout)
            guard !isWritable, now >= unwritableSince + limit else { return false }
        }
        // Closing may take its time, too (TLS has a goodbye); once is enough.
        finishEnd = .distantFuture
        loop.instruments.connectionsTimedOut.add()
        closeNow()
        return true
    }
}
