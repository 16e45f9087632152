import IngestFormats
import Instruments
import NIOCore
import Records

/// One HTTP connection: passes received bytes through the parser, hands rows to the queue, and writes the answers in
/// order.
///
/// Owner: its event loop. The decisions are those of ``HTTPRequestParser`` (framing), ``IngestRequest`` (what is asked
/// for), ``BodyDecoder`` and ``OrderedAnswers``; here they are joined to the channel.
final class HTTPConnection: ChannelDuplexHandler, LoopConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What the next bytes are for.
    enum Phase {
        /// A head, or nothing yet. Goes to `body` or `rest`.
        case head
        /// The body of a request that is to be stored. Goes to `rest`.
        case body(PartialBody)
        /// What is left of a request that has its answer, or is with the queue. Goes to `head`, or `stopped` after a
        /// last request.
        case rest(isLast: Bool)
        /// Nothing more is taken from this connection. Stays.
        case stopped
    }

    /// A request whose body is on its way.
    struct PartialBody {
        var request: IngestRequest
        var context: AnswerContext
        /// The length that was announced; nil for a chunked body.
        var length: Int?
        /// Bytes of the budget that the request holds.
        var reserved = 0
        var deadline: NIODeadline
    }

    /// What else an append's end has to know; kept for the few requests that ask for more than `accepted`.
    struct Extra {
        var wait: WaitLevel?
        var members: [UInt8] = []
        var acceptance: Acceptance?
        var writer: Identity?
    }

    let loop: IngestLoop
    let number: UInt64
    var loopIndex = 0
    let link: ConnectionLink
    var parser: HTTPRequestParser
    var phase = Phase.head
    var answers = OrderedAnswers<AnswerContext, Answer>()
    var extras: [UInt64: Extra] = [:]
    /// Received bytes that were not worked through yet: a part of a head, or whatever came before reading stopped.
    var unread = ByteBuffer()
    /// The body so far, of one that came in several pieces.
    var body = ByteBuffer()
    /// Set while this connection waits in line for memory.
    var budgetWait: (id: UInt64, since: NIODeadline)?
    /// Since when there was more to take than could be taken.
    private var stalledSince: NIODeadline?
    /// The client waits for 100, which is due once the requests before have been answered.
    var owesContinue = false
    var isDraining = false
    /// Some of what was received, or is still to come, will never be looked at.
    var leavesInput = false
    var hasHadRequest = false
    var headDeadline: NIODeadline
    var idleSince: NIODeadline

    init(loop: IngestLoop, number: UInt64, isPlain: Bool = false) {
        self.loop = loop
        self.number = number
        link = ConnectionLink(loop: loop, isPlain: isPlain)
        parser = HTTPRequestParser(limits: loop.configuration.httpLimits)
        idleSince = loop.eventLoop.now
        headDeadline = idleSince + TimeAmount(loop.configuration.headerTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        link.attach(context)
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        guard link.isOpen else { return }
        link.detach()
        if case .body(let partial) = phase, partial.reserved > 0 { loop.budget.release(partial.reserved) }
        phase = .stopped
        if let wait = budgetWait {
            // A grant that is on its way already gives back what it brings.
            _ = loop.budget.cancel(wait.id)
            budgetWait = nil
        }
        loop.remove(self)
    }

    // MARK: - Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var received = unwrapInboundIn(data)
        loop.instruments.bytesReceived.add(received.readableBytes)
        if case .stopped = phase {
            leavesInput = true
            return
        }
        let now = loop.eventLoop.now
        if unread.readableBytes == 0 {
            if parser.isIdle(unread: 0) { beginHead(now) }
            work(through: &received, now)
            keep(received)
        } else {
            unread.writeBuffer(&received)
            workThroughUnread(now)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let now = loop.eventLoop.now
        writeAnswers(now)
        resumeReading(now)
    }

    /// Lets a read pass while more can be taken; back-pressure is the reads that are held.
    func read(context: ChannelHandlerContext) {
        link.read(if: mayRead)
    }

    /// Whether another request, or more of a body, can be taken.
    var mayRead: Bool {
        if case .stopped = phase { return false }
        return budgetWait == nil && link.takesAnswers && answers.count < loop.configuration.pipelineDepth
    }

    /// Goes on after something that held reading has passed.
    func resumeReading(_ now: NIODeadline) {
        guard link.isOpen, mayRead else { return }
        if let since = stalledSince {
            // What this server made the sender wait is not the sender's time.
            stalledSince = nil
            headDeadline = headDeadline + (now - since)
            if case .body(var partial) = phase {
                partial.deadline = partial.deadline + (now - since)
                phase = .body(partial)
            }
            workThroughUnread(now)
            writeAnswers(now)
            // Answers that were ready at once have made room again.
            if stalledSince != nil { return resumeReading(now) }
        }
        if mayRead { link.resumeReading() }
    }

    func workThroughUnread(_ now: NIODeadline) {
        var bytes = unread
        unread = ByteBuffer()
        work(through: &bytes, now)
        keep(bytes)
    }

    private func keep(_ rest: ByteBuffer) {
        guard rest.readableBytes > 0 else { return }
        if case .stopped = phase {
            leavesInput = true
            return
        }
        // A copy of its own size: the receive buffer goes back to where it came from.
        unread = loop.allocate(rest.readableBytes)
        unread.writeImmutableBuffer(rest)
    }

    private func beginHead(_ now: NIODeadline) {
        headDeadline = now + TimeAmount(loop.configuration.headerTimeout)
        hasHadRequest = true
    }

    private func work(through bytes: inout ByteBuffer, _ now: NIODeadline) {
        let consumed = bytes.withUnsafeReadableBytes { work(through: $0, now) }
        bytes.moveReaderIndex(forwardBy: consumed)
        if !mayRead {
            stalledSince = stalledSince ?? now
        } else if link.inputEnded {
            endInput(unread: bytes.readableBytes, now)
        }
    }

    /// Takes steps until more bytes are needed or nothing more can be taken. Returns how many bytes were consumed.
    private func work(through bytes: UnsafeRawBufferPointer, _ now: NIODeadline) -> Int {
        var at = 0
        while mayRead {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
            guard reserve(for: rest.count, now) else { break }
            switch parser.next(rest) {
            case .needMore(let consumed):
                return at + consumed
            case .head(let head, let consumed):
                at += consumed
                takeHead(head, rest, bodyBytes: rest.count - consumed, now)
            case .body(let range, let consumed):
                at += consumed
                takeBody(UnsafeRawBufferPointer(rebasing: rest[range]), now)
            case .end(let consumed):
                at += consumed
                endRequest(bytes.count - at, now)
            case .failed(let fault):
                fail(Problem(fault), now)
            }
        }
        return at
    }

    /// Makes sure that a body on its way has its share of the budget for the bytes that may come of `incoming`; else
    /// gets in line.
    private func reserve(for incoming: Int, _ now: NIODeadline) -> Bool {
        guard case .body(var partial) = phase else { return true }
        let pieces = min(incoming, partial.length.map { $0 - body.readableBytes } ?? incoming)
        let needed = body.readableBytes + pieces + Self.requestOverhead
        guard needed > partial.reserved else { return true }
        // Grows like the buffer does, so that a sender holds no more than twice what it has sent.
        var wanted = max(needed, partial.reserved * 2)
        if let length = partial.length { wanted = min(wanted, length + Self.requestOverhead) }
        let more = wanted - partial.reserved
        guard loop.budget.take(more) else {
            budgetWait = (loop.waitForBudget(more, for: self), now)
            return false
        }
        partial.reserved = wanted
        phase = .body(partial)
        return true
    }

    /// What a request takes besides its body: its slots and the rest of its batch.
    static let requestOverhead = 1024

    func budgetWasGranted(_ amount: Int, _ now: NIODeadline) {
        guard case .body(var partial) = phase, budgetWait != nil else {
            loop.budget.release(amount)
            return
        }
        budgetWait = nil
        partial.reserved += amount
        phase = .body(partial)
        resumeReading(now)
    }
}
