import IngestFormats
import Instruments
import Logging
import NIOCore
import Records

/// One connection of the TCP protocol: cuts lines, decodes those of one read together, hands them to the queue, and
/// answers in their order where answers are wanted.
///
/// Owner: its event loop. Where answers are not wanted, what was read is never given up: a batch that the queue does
/// not take is handed over again until it does, after the connection's end as well, and until then nothing more is
/// read.
final class TCPConnection: ChannelDuplexHandler, LoopConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Who sends, known from the first line on.
    struct Sender {
        var stream: String
        var wantsAnswers: Bool
        var identity: Identity
    }

    enum Session {
        /// No line was seen. Goes to `open`, or `over` if the sender is not let in.
        case new
        /// Lines are taken. Goes to `over`.
        case open(Sender)
        /// Nothing more is taken: the sender broke the protocol, or ended, or the proxy is shutting down. Stays.
        case over(wantsAnswers: Bool)
    }

    /// Why nothing is read for now.
    enum Pause {
        /// The memory of all connections is used up.
        case memory(wait: UInt64, since: NIODeadline)
        /// The queue did not take a batch; asked again after the delay.
        case refusal(delay: TimeAmount)
    }

    /// Batches that may be with the queue at a time.
    static let depth = 16
    /// Lines that are decoded at a time: the decoder lists as many faults, so each bad line is known.
    static let runLines = DecodeReport.faultLimit

    let loop: IngestLoop
    let number: UInt64
    var loopIndex = 0
    let link: ConnectionLink
    var framer: LineFramer
    var session = Session.new
    /// Of the sender, once it is let in; outlives the session.
    var writer = Identity.anonymous
    var pause: Pause?
    var pending = OrderedAnswers<LineBatch, AppendOutcome?>()
    /// Batches that are to be handed over again, by their sequence numbers, in order.
    var refused: [UInt64] = []
    /// Batches that were handed over again and are not durable yet.
    var retried: Set<UInt64> = []
    var unread = ByteBuffer()
    /// The lines of this burst, and the lines of a key, if one is being collected.
    var batch: LineBatch?
    var group: LineGroup?
    /// Event lines seen.
    var lineCount = 0
    /// There was more to take than could be taken.
    var isStalled = false
    /// When the line, or the lines of a key, that are being received began; nil while nothing is read.
    var unfinishedSince: NIODeadline?
    /// Bytes of the budget that are held for what is unread or being collected.
    var held = 0
    /// What was read is taken whatever holds up reading: nothing more will be read.
    private var takesAll = false
    /// The grace of the shutdown is over.
    private var isGivenUp = false
    private(set) var isRemoved = false

    init(loop: IngestLoop, number: UInt64, isPlain: Bool = false) {
        self.loop = loop
        self.number = number
        link = ConnectionLink(loop: loop, isPlain: isPlain)
        framer = LineFramer(limit: loop.configuration.maxLineBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        link.attach(context)
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        guard link.isOpen else { return }
        link.detach()
        if wantsAnswers {
            // Nobody is left to read an answer, and nothing without an answer is promised.
            abandon()
        } else {
            takeAllUnread(loop.eventLoop.now)
        }
        removeIfDone()
    }

    var wantsAnswers: Bool {
        switch session {
        case .new: false
        case .open(let sender): sender.wantsAnswers
        case .over(let wanted): wanted
        }
    }

    /// A line, or the lines of a key, have begun and not ended.
    func isUnfinished(unread: Int) -> Bool { group != nil || framer.isWithinLine(unread: unread) }

    private var isOver: Bool {
        if case .over = session { true } else { false }
    }

    // MARK: - Reading

    /// Whether more lines can be taken.
    var mayRead: Bool {
        !isOver && (takesAll || pause == nil && pending.count < Self.depth && link.takesAnswers)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var received = unwrapInboundIn(data)
        loop.instruments.bytesReceived.add(received.readableBytes)
        guard !isOver else { return }
        let now = loop.eventLoop.now
        hold(held + received.readableBytes)
        if unread.readableBytes == 0 {
            work(through: &received, now)
            if received.readableBytes > 0 {
                unread = loop.allocate(received.readableBytes)
                unread.writeImmutableBuffer(received)
            }
        } else {
            unread.writeBuffer(&received)
            workThroughUnread(now)
        }
        settle(now)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let now = loop.eventLoop.now
        writeAnswers(now)
        resumeReading(now)
    }

    func read(context: ChannelHandlerContext) {
        link.read(if: mayRead)
    }

    func workThroughUnread(_ now: NIODeadline) {
        guard mayRead else {
            isStalled = true
            return
        }
        var bytes = unread
        unread = ByteBuffer()
        work(through: &bytes, now)
        unread = bytes
        if unread.readableBytes == 0 { unread = ByteBuffer() }
        settle(now)
    }

    /// Hands over every line that was read, be the queue willing or not.
    private func takeAllUnread(_ now: NIODeadline) {
        takesAll = true
        workThroughUnread(now)
        takesAll = false
    }

    /// Goes on after something that held reading has passed.
    func resumeReading(_ now: NIODeadline) {
        guard mayRead else { return }
        if isStalled {
            isStalled = false
            workThroughUnread(now)
            writeAnswers(now)
            // Answers that were ready at once have made room again.
            if isStalled { return resumeReading(now) }
        }
        if mayRead { link.resumeReading() }
    }

    /// Holds as much of the budget as there is unread and collected; pauses if all connections together hold too much.
    private func settle(_ now: NIODeadline) {
        hold(isOver ? 0 : unread.readableBytes + (group?.batch.rows.byteCount ?? 0))
        guard pause == nil, !isOver, link.isOpen, loop.budget.isExceeded else { return }
        // What was read is in memory already; only reading more has to wait.
        pause = .memory(wait: loop.waitForBudget(0, for: self), since: now)
        unfinishedSince = nil
        isStalled = true
    }

    func hold(_ amount: Int) {
        if amount > held { loop.budget.force(amount - held) }
        if amount < held { loop.budget.release(held - amount) }
        held = amount
    }

    func budgetWasGranted(_ amount: Int, _ now: NIODeadline) {
        guard case .memory = pause else { return }
        pause = nil
        resumeReading(now)
        writeAnswers(now)
    }

    // MARK: - The end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        guard link.endInput() else { return }
        let now = loop.eventLoop.now
        workThroughUnread(now)
        writeAnswers(now)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if link.writabilityDidChange() {
            let now = loop.eventLoop.now
            resumeReading(now)
            writeAnswers(now)
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A connection that breaks is the peer's affair; what was read of it is stored all the same.
        loop.logger.debug("connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    /// Gives up what is not stored.
    private func abandon() {
        if !wantsAnswers, !refused.isEmpty {
            let events = refused.reduce(0) { $0 + (pending.question($1)?.rows.rowCount ?? 0) }
            loop.logger.error(
                "events were read but never stored: the queue took nothing until the shutdown",
                metadata: ["events": "\(events)"]
            )
        }
        for sequence in refused { loop.budget.release(pending.question(sequence)?.charge ?? 0) }
        refused = []
        unread = ByteBuffer()
        group = nil
        session = .over(wantsAnswers: wantsAnswers)
        leaveLine()
        hold(0)
    }

    private func leaveLine() {
        if case .memory(let wait, _) = pause {
            // A grant that is on its way brings no bytes, and finds no pause.
            _ = loop.budget.cancel(wait)
        }
        pause = nil
    }

    /// Takes the connection off the loop once the channel is closed and nothing of it is left to store.
    func removeIfDone() {
        guard !link.isOpen, !isRemoved else { return }
        guard wantsAnswers || isGivenUp || pending.count == 0 else { return }
        isRemoved = true
        leaveLine()
        hold(0)
        loop.remove(self)
    }

    func closeNow() {
        isGivenUp = true
        abandon()
        if link.isOpen { link.closeNow() } else { removeIfDone() }
    }

    func drain(_ now: NIODeadline) {
        if wantsAnswers { workThroughUnread(now) } else { takeAllUnread(now) }
        endSession(reason: "The proxy is shutting down.", retry: true, now)
        writeAnswers(now)
    }

    func checkDeadlines(_ now: NIODeadline) {
        if link.closeIfLate(now) { return }
        let limits = loop.configuration
        switch pause {
        case .memory(_, let since):
            // What only began would hold its memory for ever if those who hold the rest do the same.
            guard isUnfinished(unread: unread.readableBytes), now >= since + TimeAmount(limits.budgetTimeout) else {
                return
            }
            endLate("More is on its way than the proxy holds in memory.", now)
        case .refusal:
            break
        case nil:
            guard mayRead, let since = unfinishedSince, now >= since + TimeAmount(limits.bodyTimeout) else { return }
            let reason = "The lines of the key did not all come in time."
            endLate(group == nil ? "The line did not end in time." : reason, now)
        }
    }

    private func endLate(_ reason: String, _ now: NIODeadline) {
        loop.instruments.connectionsTimedOut.add()
        if !wantsAnswers { takeAllUnread(now) }
        leaveLine()
        endSession(reason: reason, retry: true, now)
        unread = ByteBuffer()
        hold(0)
        writeAnswers(now)
    }
}
